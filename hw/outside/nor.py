"""What a quad SPI flash is told: how it is woken, and how it is read."""

from dataclasses import dataclass
from math import ceil

from hw.arch.outside import WORD_BITS, Contract
from hw.common.errors import SpikeloomError

LANES = 4
NIBBLES = WORD_BITS // LANES
ADDRESS_BITS = 24  #: Of a byte; what lies above is not reached.
#: Nanoseconds that the chip is not selected between two commands: 50 is the most that is asked for
#: by S25FL128S, N25Q128, MT25QL128, W25Q128 and IS25LP128.
DESELECTED = 100
#: Nanoseconds until a chip is up after it was woken or reset: more than any of them takes.
WAKE = 100_000
#: Hz of the flash's clock that all of them follow, and whose period holds what a word needs from
#: the FPGA's clock to its register: 8 ns of the chip, and 12 of pins and board.
FASTEST = 50_000_000


@dataclass(frozen=True, kw_only=True)
class Read:
    """A command that reads on four lanes.

    Parameters
    ----------
    opcode : sent on one lane, as all are.
    lanes : of the address, 1 or 4; where it is 4, two clocks of zeros follow, the mode in which the
        next command has an opcode again.
    dummy : clocks in which nobody drives, before the first byte.
    """

    opcode: int
    lanes: int
    dummy: int

    def __post_init__(self):
        assert self.lanes in (1, 4), self.lanes
        assert self.dummy > 0, self.dummy

    @property
    def wide(self) -> int:
        """Clocks on four lanes before the dummy ones."""
        return 8 if self.lanes == 4 else 0

    @property
    def clocks(self) -> int:
        """Clocks before the first byte."""
        return 8 + (8 if self.lanes == 4 else ADDRESS_BITS) + self.dummy


#: The one that the chips of all boards know, with the same number of dummy clocks.
QUAD_OUTPUT = Read(opcode=0x6B, lanes=1, dummy=8)

WAKE_UP, RESET_ENABLE, RESET = 0xAB, 0x66, 0x99
WRITE_VOLATILE = 0x50  #: The next write of a register holds until power goes.
ISSI_QUAD = (0x01, 0x40)  #: Status register 1 with the quad-enable bit of ISSI's chips.
WINBOND_QUAD = (0x31, 0x02)  #: Status register 2 with Winbond's.


@dataclass(frozen=True)
class Step:
    """A command without an answer, and nanoseconds to wait after it."""

    code: tuple[int, ...]
    wait: int = DESELECTED


def steps(volatile_quad: bool) -> list[Step]:
    """Return the commands that bring a chip into a known state, in order.

    Ones for eight clocks end a continuous read: a mode of 1s, whatever the lanes (twice, as the
    first clocks of a configuration clock that is handed over do not come out). Then the chip is
    woken from power-down and reset, which ends all modes that were set until power goes. Nothing is
    sent that enables a write which stays (06): what is written for good only a programmer writes.

    ``volatile_quad``: set the quad-enable bit until power goes, of ISSI's and Winbond's chips; on
    others these registers stay as they are.
    """
    ones = Step((0xFF,))
    woken = [Step((WAKE_UP,), WAKE), Step((RESET_ENABLE,)), Step((RESET,), WAKE)]
    quad = [Step((WRITE_VOLATILE,)), Step(ISSI_QUAD), Step((WRITE_VOLATILE,)), Step(WINBOND_QUAD)]
    return [ones, ones, *woken, *(quad if volatile_quad else [])]


def cycles(nanoseconds: int, clock: int) -> int:
    """Return how many cycles of ``clock`` (Hz) a least time takes."""
    return ceil(round(nanoseconds * clock / 1e9, 6))


def contract(clock: int, read: Read = QUAD_OUTPUT) -> Contract:
    """Return when words come to a core of ``clock`` Hz, of a flash at half of that.

    Before the first one: the chip is not selected, the command, the word; one cycle for the request
    and two from the pins to the port.
    """
    clocks = read.clocks + NIBBLES
    return Contract(latency=cycles(DESELECTED, clock) + 2 * clocks + 3, period=2 * NIBBLES)


def check_clock(clock: int) -> None:
    """SpikeloomError where half of ``clock`` (Hz) is faster than what a flash is read with."""
    if clock > 2 * FASTEST:
        raise SpikeloomError(
            f"flash: with a core at {clock / 1e6:g} MHz its clock would have {clock / 2e6:g} MHz, "
            f"and {FASTEST / 1e6:g} MHz is the most that is read safely; choose a lower clock"
        )
