"""Why faults that neither a bench notices nor a solver settles change nothing that matters.

`PREMISES` say what no program for the played core ever holds; each is checked on every program
that is played, and with them the solver tries again. `REASONS` tell of single faults, by the key
of `Fault`; what they say was found by reading, and a key that no fault has is told.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmarks.mutation.played import CONFIG
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
}
