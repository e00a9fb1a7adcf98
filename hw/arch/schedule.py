"""When a run's instructions and their column tiles begin, with the waits for what is outside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hw.arch import timing
from hw.arch.config import Config
from hw.arch.isa import Dest, Instruction, Op
from hw.arch.outside import CONTRACT, Contract, Transfers


@dataclass(frozen=True, kw_only=True)
class Times:
    """Cycles of an instruction in a run; the run's first issue cycle is `timing.START`."""

    begin: int  #: First issue cycle; of one that does not run, that of the next.
    cycles: int  #: Of the busy time: with what comes before the first instruction's first issue.
    taus: tuple[int, ...] = ()  #: Of each column tile's first tile, from ``begin``.


def block_free(config: Config) -> int:
    """Cycles from the last word of a column tile until the mover may ask for what replaces it.

    By then the last bank has read the word, whichever way its address takes.
    """
    return timing.S_READY + config.cols


def moves(program: Sequence[Instruction]) -> bool:
    """Whether anything of a program comes from outside."""
    return any(i.op == Op.MOVE for i in program)


def block_words(config: Config, i: Instruction) -> int:
    """Outside words of a block of a MOVE: 32 bits each, of all banks."""
    return i.n_k * config.cols * config.width // 32


def program_cycles(
    config: Config,
    program: Sequence[Instruction],
    first: bool = False,
    contract: Contract | None = CONTRACT,
) -> list[int]:
    """Cycles of each instruction of a decoded program; they add up to the busy time.

    The core is busy from the cycle after ``start`` to the cycle in which it decodes HALT; the
    first entry that runs includes START, each HALT counts 1. Parameters as `schedule` has them.
    """
    return [times.cycles for times in schedule(config, program, first, contract)]


def schedule(
    config: Config,
    program: Sequence[Instruction],
    first: bool = False,
    contract: Contract | None = CONTRACT,
) -> list[Times]:
    """Return the times of each instruction of a decoded program.

    Parameters
    ----------
    first : as `timing.run_start`.
    contract : what the memory outside keeps to; None: all blocks are there when they are wanted,
        and moves are taken at once, so that only computing takes time.
    """
    transfers = None
    if contract is not None and moves(program):
        transfers = Transfers(contract, block_free(config))
    out, begin, at = [], timing.run_start(program, first), timing.START
    for n, i in enumerate(program):
        if n < begin:
            out.append(Times(begin=at, cycles=0))
            continue
        taus: tuple[int, ...] = ()
        if i.op == Op.HALT:
            total = 1
        else:
            issued, taus = _issue(config, i, at, transfers)
            total = issued + timing.overhead(config, i, issued)
        lead = timing.START if n == begin else 0
        out.append(Times(begin=at, cycles=lead + total, taus=taus))
        at += total
    return out


def _issue(
    config: Config, i: Instruction, at: int, transfers: Transfers | None
) -> tuple[int, tuple[int, ...]]:
    """Cycles from the first issue, which is ``at``, to after the last; taus of column tiles."""
    if i.op == Op.TABLE:
        return 0, ()
    if i.op == Op.MOVE:
        taken = transfers.order(at, block_words(config, i), i.n_j) if transfers else at
        return taken - at + 1, ()
    if transfers is None:
        starts, taus = timing.column_starts(i), timing.column_taus(i)
        return starts[-1], tuple(taus)

    def begin(could: int) -> int:
        return max(at + could, transfers.block()) - at if i.outside else could

    taus, end = [], 0
    for _, tau, end in timing.columns(i, begin):
        taus.append(tau)
        if i.dest in (Dest.COL_TOKEN, Dest.COL_CHANNEL):
            transfers.busy(_writes(config, i, at + tau))
        if i.outside:
            transfers.end(at + end)
    return end + 1, tuple(taus)


def _writes(config: Config, i: Instruction, tau: int) -> Iterator[int]:
    """Cycles in which a column tile's spikes are written to column memory, the mover's not."""
    rows, before = config.rows, timing.write_cycle(config) - 1
    for y in range(i.n_y):
        cycles = timing.tile_cycles(i, y)
        if y:
            tau += cycles
        for x in range(i.n_x):
            valid = max(0, min(rows, i.img_w - x * rows))
            for t in range(i.n_t):
                if x or t:
                    tau += cycles
                if i.dest == Dest.COL_CHANNEL:
                    yield tau + before + rows - 1
                else:
                    yield from range(tau + before, tau + before + valid)
