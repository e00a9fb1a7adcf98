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
#: Of every ULX3S. The flash is an IS25LP128 or a W25Q128; a configuration of the 85F takes 1.9 MB.
ULX3S = (Sdram(words=8), Flash(size=16 << 20, offset=0x200000, volatile_quad=True))
#: Of every Arty A7: an S25FL128S, whose quad-enable bit stays, or an N25Q128 or MT25QL128, which
#: have none; a configuration takes 2.2 MB (35T), 3.8 MB (100T).
ARTY_A7 = (Flash(size=16 << 20, offset=0x400000, volatile_quad=False),)
