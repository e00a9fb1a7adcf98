"""The ports of a core, and what they mean."""

from typing import Any

from amaranth.lib.wiring import In, Out

from hw.arch.memmap import LOG_DEPTH, Stopped
from hw.core.words import ADDR


def core_members() -> dict[str, Any]:
    """Return the ports of every core.

    start : In(1), one pulse while not busy.
    busy, done : Out(1), of the last run: it goes on; it came to its HALT.
    cycles : Out(32), of the run.
    abort : In(1), limit : In(32), stop it as `hw.core.guard` says. stopped : Out(Stopped).
    pc : Out(16), where in program memory the instruction in hand begins, or the next one, once it
        is asked for; of a stopped run too.
    log_addr : In(range(LOG_DEPTH)), log_data : Out(32), a cycle later: the cycle of the run, from
        0, in which its instruction of that number was taken. log_count : Out(range(LOG_DEPTH + 1)),
        how many were; of more, LOG_DEPTH.
    load_valid, load_addr (`hw.arch.memmap`), load_data : In, a write a cycle while not busy; it
        lands two cycles later in program memory, three in the others, and before ``start``.
    peek : In(1), peek_addr : In(32), while not busy: a word that loads may write is to be read,
        which peek_data : Out(32) shows ``timing.peek_cycles`` later, until the next.
    """
    return {
        "start": In(1),
        "busy": Out(1),
        "done": Out(1),
        "cycles": Out(32),
        "abort": In(1),
        "limit": In(32),
        "stopped": Out(Stopped),
        "pc": Out(ADDR),
        "log_addr": In(range(LOG_DEPTH)),
        "log_data": Out(32),
        "log_count": Out(range(LOG_DEPTH + 1)),
        "load_valid": In(1),
        "load_addr": In(32),
        "load_data": In(32),
        "peek": In(1),
        "peek_addr": In(32),
        "peek_data": Out(32),
    }
