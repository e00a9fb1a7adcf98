"""What a board may have of memory outside its FPGA, for cores with a mover."""

from dataclasses import dataclass
from typing import ClassVar

from hw.arch.outside import MEGAWORD, WORD_BITS


@dataclass(frozen=True, kw_only=True)
class Sdram:
    """An SDR SDRAM, which the link writes."""

    kind: ClassVar[str] = "sdram"
    words: int  #: In 2**20 of 32 bits.


@dataclass(frozen=True, kw_only=True)
class Flash:
    """The quad SPI flash that the FPGA is configured from: a programmer writes it, cores read it.

    Its pins are those of the resource 'spi_flash' of the board's platform, its clock is the FPGA's
    configuration clock.
    """

    kind: ClassVar[str] = "flash"
    size: int  #: Bytes.
    offset: int  #: Bytes before the first word, room for the FPGA's configuration.
    volatile_quad: bool  #: Its quad-enable bit can be set until power goes (`hw.outside.nor`).

    @property
    def words(self) -> int:
        """In 2**20 of 32 bits, whole ones."""
        return (self.size - self.offset) // (MEGAWORD * WORD_BITS // 8)


Memory = Sdram | Flash
