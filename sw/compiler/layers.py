"""Cycles of each layer: as forecast, and as a core's log of a run tells them."""

from collections.abc import Sequence
from itertools import pairwise

from hw.arch import schedule, timing
from hw.arch.memmap import LOG_DEPTH
from hw.common.errors import SpikeloomError
from sw.compiler.program import Program
from sw.compiler.records import by_layer


def forecast_layers(program: Program, first: bool = False) -> dict[str, int]:
    """Return the forecast cycles of each layer; ``first``: in the run that loads a table."""
    code = program.instructions()
    cycles = schedule.program_cycles(program.config, code, first, program.contract)
    return by_layer(program.labels, cycles)


def logged_cycles(log: Sequence[int], cycles: int) -> list[int]:
    """Return the cycles of each instruction of a log; the last one's go to the end of the run.

    An instruction's first cycle is the one after it was taken; the first one has all before it.
    """
    return [b - a for a, b in pairwise([0, *(entry + 1 for entry in log[1:]), cycles])][: len(log)]


def logged_layers(program: Program, log: Sequence[int], cycles: int) -> dict[str, int]:
    """Return the cycles that each layer took in a run that came to its end; they add up to it.

    Parameters
    ----------
    log : the core's log of the run, one entry for each instruction that it took: the cycle of the
        run, from 0, in which that was. A run that finds its table loaded takes those behind it.
    cycles : of the whole run, as the core counted them.

    Raises SpikeloomError for a program of more instructions than the log has room for, and where
    the log is not one of a run of this program.
    """
    code = program.instructions()
    if len(code) > LOG_DEPTH:
        raise SpikeloomError(
            f"program {program.name!r} has {len(code)} instructions, but a core logs {LOG_DEPTH} "
            "of a run: its layers cannot be told apart, only their sum"
        )
    begin, spent = len(code) - len(log), logged_cycles(log, cycles)
    if begin not in {timing.run_start(code, first) for first in (True, False)} or min(spent) < 1:
        raise SpikeloomError(
            f"a log of {len(log)} instructions in {cycles} cycles is none of a run of program "
            f"{program.name!r}, which has {len(code)}; load that program and run it again"
        )
    return by_layer(program.labels, [0] * begin + spent)
