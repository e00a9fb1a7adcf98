"""When a run's instructions and their column tiles begin, with the waits for what is outside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hw.arch import timing
from hw.arch.config import Config
from hw.arch.isa import Dest, Instruction, Op
from hw.arch.outside import CONTRACT, Contract, Transfers


@dataclass(frozen=True, kw_only=True)
class Times:
    """Cycles of an instruction in a run; the run's first issue cycle is `timing.START`."""

    begin: int  #: First issue cycle; of one that does not run, that of the next.
    cycles: int  #: Of the busy time: with what comes before the first instruction's first issue.
    stalls: int = 0  #: Those of them that pass for nothing but a wait for the mover.
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
        lead = timing.START if n == begin else 0
        if i.op == Op.HALT:
            times = Times(begin=at, cycles=1)
        else:
            times = _issue(config, i, at, transfers)
            times = replace(times, cycles=times.cycles + timing.overhead(config, i, times.cycles))
        out.append(replace(times, cycles=lead + times.cycles))
        at += times.cycles
    return out


def _issue(config: Config, i: Instruction, at: int, transfers: Transfers | None) -> Times:
    """Times of an instruction whose first issue cycle is ``at``, ``cycles`` to after its last."""
    if i.op == Op.TABLE:
        return Times(begin=at, cycles=0)
    if i.op == Op.MOVE:
        taken = transfers.order(at, block_words(config, i), i.n_j) if transfers else at
        return Times(begin=at, cycles=taken - at + 1, stalls=taken - at)
    if transfers is None:
        starts, taus = timing.column_starts(i), timing.column_taus(i)
        return Times(begin=at, cycles=starts[-1], taus=tuple(taus))
    stalls = 0

    def begin(could: int) -> int:
        nonlocal stalls
        wait = max(0, transfers.block() - at - could) if i.outside else 0
        stalls += wait
        return could + wait

    taus, end = [], 0
    for _, tau, end in timing.columns(i, begin):
        taus.append(tau)
        if i.dest in (Dest.COL_TOKEN, Dest.COL_CHANNEL):
            transfers.busy(_writes(config, i, at + tau))
        if i.outside:
            transfers.end(at + end)
    return Times(begin=at, cycles=end + 1, stalls=stalls, taus=tuple(taus))


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
