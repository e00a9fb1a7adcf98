"""When a baud rate is given up."""

import pytest

from hw.arch import link
from hw.soc.rate import Rate
from sim.pysim import run

LAST = len(link.RATES) - 1


def index_after(*events):
    """Play events, names of inputs, of some at once; return the index after each."""
    dut, out = Rate(), []

    async def bench(ctx):
        ctx.set(dut.wanted, LAST)
        for event in events:
            ports = [getattr(dut, name) for name in event.split()]
            for port in ports:
                ctx.set(port, 1)
            await ctx.tick()
            for port in ports:
                ctx.set(port, 0)
            await ctx.tick()
            out.append(ctx.get(dut.index))

    run(dut, bench)
    return out


TICKS = ["tick"] * link.FALLBACK_TICKS


def test_a_rate_at_which_nothing_is_heard_is_given_up():
    assert index_after("change", *TICKS) == [LAST] * len(TICKS) + [0]


@pytest.mark.parametrize("when", range(link.FALLBACK_TICKS))
def test_a_good_frame_keeps_it_while_the_line_rests(when):
    events = ["change", *TICKS[:when], "good", *TICKS * 2]
    assert index_after(*events) == [LAST] * len(events)


def test_bytes_without_a_good_frame_give_it_up():
    start = ["change", "good", "tick", "tick", "byte", "byte"]
    assert index_after(*start, *TICKS) == [LAST] * (len(start) + len(TICKS) - 1) + [0]
    again = [*start, *TICKS[1:], "good", "byte", *TICKS]
    assert index_after(*again) == [LAST] * (len(again) - 1) + [0]


def test_the_rate_after_reset_stays():
    assert set(index_after("byte", *TICKS, "tick", "good", *TICKS)) == {0}


def test_a_good_frame_on_the_last_tick_itself_keeps_the_rate():
    events = ["change", *TICKS[1:], "tick good", *TICKS * 2]
    assert index_after(*events) == [LAST] * len(events)
    events = ["change", *TICKS[1:], "tick byte"]
    assert index_after(*events)[-1] == 0


def test_a_byte_on_a_tick_begins_a_new_count():
    start = ["change", "good", "tick byte"]
    assert index_after(*start, *TICKS) == [LAST] * (len(start) + len(TICKS) - 1) + [0]
