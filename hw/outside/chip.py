"""What a controller and its gateware must know of an SDRAM: sizes, and times in nanoseconds."""

from dataclasses import dataclass
from math import ceil

from hw.common.errors import SpikeloomError

REFRESH_PERIOD = 64e6  #: Nanoseconds in which each row must be refreshed.
BURST = 1  #: Of the mode register: a command moves this many words of the chip.
CAS_LATENCY = 2  #: Cycles from a read command to the edge that its word is there at.


@dataclass(frozen=True, kw_only=True)
class Chip:
    """An SDR SDRAM, or the narrowest limits of those that a board is sold with.

    Parameters
    ----------
    device : FPGA beside it, as the generator of the controller names it.
    width : bits of its data, a multiple of 8.
    rows, columns, banks : powers of two, columns 1024 at most (A10 is no column's).
    rp, rcd, ras, rc, rfc, wr, rrd : least times, in nanoseconds, by the data sheets' names.
    power_up : nanoseconds of a clock before the first command.
    refreshes : commands to refresh while it is set up.
    cycle : least nanoseconds of a clock cycle at CAS_LATENCY.
    """

    device: str
    width: int
    rows: int
    columns: int
    banks: int
    rp: float
    rcd: float
    ras: float
    rc: float
    rfc: float
    wr: float
    rrd: float
    power_up: float
    refreshes: int
    cycle: float

    @property
    def address_bits(self) -> int:
        """Bits of the address of a word of ``width`` bits."""
        return (self.rows * self.columns * self.banks).bit_length() - 1

    @property
    def refresh(self) -> float:
        """Nanoseconds between two commands to refresh: 2 % fewer than all rows in time need."""
        return REFRESH_PERIOD / self.rows * 0.98

    def cycles(self, nanoseconds: float, clock: int) -> int:
        """Return how many cycles of ``clock`` (Hz) a least time takes.

        SpikeloomError where the SDRAM cannot follow that clock.
        """
        if clock * self.cycle > 1e9:
            raise SpikeloomError(
                f"SDRAM clock: {clock} Hz, and the SDRAM of this board runs at "
                f"{int(1e9 / self.cycle)} Hz at most with a CAS latency of {CAS_LATENCY}; "
                "choose a lower clock"
            )
        return ceil(round(nanoseconds * clock / 1e9, 6))


#: SDRAM of the ULX3S: an MT48LC16M16A2 (-75), or an AS4C32M16SB (-7) of which half is used, and
#: what is like them; each time is the longer one of their data sheets.
ULX3S = Chip(
    device="LFE5U-85F-6BG381C",
    width=16,
    rows=8192,
    columns=512,
    banks=4,
    rp=21,
    rcd=21,
    ras=44,
    rc=66,
    rfc=66,
    wr=15,
    rrd=15,
    power_up=200_000,
    refreshes=8,
    cycle=10,
)
