"""Why faults that neither a bench notices nor a solver settles change nothing that matters.

`PREMISES` say what no program for the played core ever holds; each is checked on every program
that is played, and with them the solver tries again. `REASONS` tell of single faults, by the key
of `Fault`; what they say was found by reading, and a key that no fault has is told.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.mutation.played import CLOCK, CONFIG
from hw.arch import link
from hw.arch.isa import BY_NAME, Instruction


@dataclass(frozen=True)
class Premise:
    """A bit of an instruction field that no program for this core sets."""

    field: str
    bit: int
    why: str

    @property
    def register(self) -> str:
        """The bit of the core's instruction register."""
        at = BY_NAME[self.field]
        return f"core.seq.fetch.ir{at.word}[{at.low + self.bit}]"

    def holds(self, instructions: Iterable[Instruction]) -> bool:
        """Whether no instruction sets it."""
        return not any(getattr(i, self.field) >> self.bit & 1 for i in instructions)


PREMISES = (
    Premise(
        "slot_bytes_log2",
        1,
        "a word of W = 32 bits holds two slots of 2 bytes or three of 1; one of 4 bytes would be "
        "the whole word, which is no packing",
    ),
    Premise(
        "w_slot_log2", 1, "as slot_bytes_log2: the next layer reads what this one packs"
    ),
    Premise(
        "par_j",
        10,
        "the parameters of a column tile are 2 words, or 4 with a mean, and those of the next one "
        "lie behind them",
    ),
    Premise(
        "w_chan_gs",
        7,
        "a group of R channels packed by tokens has T ceil(tokens / 32) words; where that is 128 "
        "or more, the spikes that they are computed from, packed by channels, have "
        "T ceil(tokens / 4) words or more, over 900, and row memory has 512",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """Why a fault changes nothing that matters, and what of it can be checked."""

    text: str
    holds: Callable[[], bool] = lambda: True


def _beyond_identity(number: int, also: int | None = None) -> Reason:
    """A comparison of the ROM's index with a number past the reply's last byte."""
    end = 76  # of the netlist that the page is of
    text = (
        f"the comparison picks byte {number} of an IDENTIFY reply, which has {end}: `index` counts "
        f"them from 0, and SEND is left when it comes to {end}"
    )
    if also is not None:
        text += f"; with the fault it picks byte {also} too, which is 0 as byte {number} is"
    return Reason(text, lambda: number >= end and (also is None or _identity()[also] == 0))


def _identity() -> bytes:
    return link.Identity(
        version=link.VERSION, digest=CONFIG.digest, clock=CLOCK, config=CONFIG
    ).encode()


def _ends_where_it_began(count: int) -> bool:
    """Whether as many places of the line, bit 1 inverted at each, are the first ones, each once."""
    at, visited = 0, []
    for _ in range(count):
        here = at ^ 2
        visited.append(here)
        at = here + 1
    return sorted(visited) == list(range(count))


REASONS = {
    "fused mux(core.back.fused.at, 7'0000000, .) to core.back.fused.here: Y[1] "
    "(core.back.fused.here[1]) inv": Reason(
        "where a window of the line stands: bit 1 is inverted from window to window, so that an "
        "image row goes through each four places in another order, the same in every row, and "
        "reads each in the cycle before it writes it; the line has a multiple of four",
        lambda: (
            CONFIG.pool_depth % 4 == 0
            and all(_ends_where_it_began(count) for count in range(4, CONFIG.pool_depth + 1, 4))
        ),
    ),
    "core dff(core.tag_at12_slot_d1) to core.tag_at13_slot_d1: D[3] (core.tag_at12_slot_d1[3]) "
    "const0": Reason(
        "a slot's number is below W / C = 4: the counter goes back to 0 at `slots`, which no word "
        "has more of",
        lambda: CONFIG.width // CONFIG.cols <= 8,
    ),
    "prog and(core.prog.$signature__en, .) to .: B[0] const0": Reason(
        "the register behind it spoils a program word that is written in the cycle that reads it; "
        "words are written while the core rests, whose fetch then takes none, and neither bench "
        "nor link loads in the cycle of `start`"
    ),
    "mixer pmux({ core.lanes.res_a_3.read_d1 [17] core.l..., { core.seq.fetch.ir29 [17] "
    "core.seq.fetc..., { . . . }) to core.lanes.lane_3.residual.mixer.o: A[18] const1": Reason(
        "bit 18 of a word of buffer A alone: r is that word only in a MEAN, whose unit multiplies "
        "bits 0 to 17 of r, and whose x goes to pixel memory before r is added; what the sum "
        "gives is neither stored nor fired by, as a MEAN has no `keep` and its rows do not fire"
    ),
    "rows and(., core.back.place.place_has_left_d1) to .: B[0] const1": Reason(
        "of a token in bank R - 1, the left neighbour's slot in bank R - 2: a token without one "
        "begins an image row, and image rows that are packed by taps begin in bank 0"
    ),
    "link eq(link.index [6:0], 7'1010101) to .: A[4] cnot1 by bit 2": _beyond_identity(85, 69),
    "link eq(link.index [6:0], 7'1111000) to .: B[1] const1": _beyond_identity(120),
}
