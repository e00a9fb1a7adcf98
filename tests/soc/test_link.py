"""The endpoint as a whole: what overlaps, what waits, what comes out of turn."""

import pytest

from hw.arch import link
from hw.arch.link import Command, Reason, State
from hw.arch.memmap import Mem, Stopped, load_addr
from tests.soc.endpoint import Memories, frames, talk
from tests.soc.test_answer import state, words
from tests.soc.test_requests import OPEN, PIX, address, answers, granted, refused, request

RESULT = link.READ_REQUEST.pack(PIX, 2)


def start(run, sequence, limit=0):
    return request(Command.START, link.START_REQUEST.pack(run, limit), sequence)


def test_the_next_image_is_taken_while_one_is_computed():
    """It waits in the queue behind a RESULT, and is written when the core is done."""
    core, image = Memories(runs=8000), bytes(range(200))
    got = answers(
        start(1, 100),
        request(Command.RESULT, RESULT, 101),
        request(Command.WRITE_BYTES, address(PIX) + image, 102),
        request(Command.WRITE_BYTES, address(PIX + 200) + image, 103),
        start(2, 104),
        request(Command.RESULT, RESULT, 105),
        core=core,
        rest=9000,
    )
    first = Memories()
    done = state(done=True, cycles=8000)
    assert got == [
        granted(Command.START),
        granted(
            Command.RESULT,
            State.encode(_with(done, run=1)) + words(first, PIX, 2),
            101,
        ),
        granted(Command.WRITE_BYTES, sequence=102),
        granted(Command.WRITE_BYTES, sequence=103),
        granted(Command.START, sequence=104),
        granted(Command.RESULT, _with(done, run=2).encode() + bytes([0, 0, 0, 0, 1, 0, 0, 0]), 105),
    ]
    assert core.events[0] == ("start", 0)
    assert core.events[1:401] == [("load", PIX + n, n % 200) for n in range(400)]
    assert core.events[401:] == [("start", 0)]


def _with(found, **changes):
    return state(**{**vars(found), **changes})


@pytest.mark.parametrize("urgent", [Command.STATUS, Command.IDENTIFY])
def test_a_result_that_waits_gives_way(urgent):
    core = Memories(runs=1_000_000)
    payload = link.SESSION.pack(5) if urgent == Command.IDENTIFY else b""
    got = answers(
        start(3, 100), request(Command.RESULT, RESULT, 101), 500, request(urgent, payload, 102),
        core=core,
    )  # fmt: skip
    running = state(busy=True, run=3).encode()
    assert got[1] == granted(Command.RESULT, running, 101)
    assert got[2][:2] == (link.REPLY | urgent, 102)
    assert len(got) == 3


def test_abort_acts_as_soon_as_it_has_come():
    """Before its turn: what waits in front of it for the core is done first."""
    core = Memories(runs=1_000_000)
    got = answers(
        1500,
        start(3, 100),
        request(Command.RESULT, RESULT, 101),
        request(Command.STATUS, sequence=77),  # out of order
        request(Command.ABORT, sequence=200),
        request(Command.STATUS, sequence=201),
        core=core,
    )
    stopped = state(run=3, stopped=Stopped.ABORTED)
    assert core.events == [("start", 0), ("abort",)]
    assert got[0] == granted(Command.START)
    assert got[-2:] == [
        granted(Command.ABORT, stopped.encode(), 200),
        granted(Command.STATUS, stopped.encode(), 201),
    ]


def test_abort_in_its_turn_stops_what_was_started_before_it():
    core = Memories(runs=1_000_000)
    got = answers(
        1500, start(1, 100), request(Command.RESULT, RESULT, 101), start(2, 102),
        request(Command.ABORT, sequence=103), core=core,
    )  # fmt: skip
    assert core.events == [("start", 0), ("abort",), ("start", 0), ("abort",)]
    assert got[-1] == granted(Command.ABORT, state(run=2, stopped=Stopped.ABORTED).encode(), 103)


def test_abort_is_done_without_a_session():
    got = frames(talk([request(Command.ABORT, sequence=3)], Memories()))
    assert got == [granted(Command.ABORT, state().encode(), 3)]


def test_abort_of_a_damaged_frame_does_nothing():
    core, whole = Memories(runs=1_000_000), bytearray(request(Command.ABORT, sequence=101))
    whole[2] ^= 1
    answers(start(1, 100), bytes(whole), core=core)
    assert core.events == [("start", 0)]


def rate_after(*steps, **options):
    """Index of the rate at the end, and the answers."""
    seen = []
    got = frames(
        talk([OPEN, *steps, lambda ctx, dut: seen.append(ctx.get(dut.rate))], Memories(), **options)
    )
    return seen[-1], got[1:]


def ask_rate(index, sequence=100):
    return request(Command.RATE, bytes([index]), sequence)


def test_the_rate_changes_when_the_answer_has_left():
    """And no request is taken in between."""
    seen = []

    def sent(value):
        return lambda ctx, dut: ctx.set(dut.sent, value)

    def look(ctx, dut):
        seen.append(ctx.get(dut.rate))

    steps = [OPEN, 2500, sent(0), ask_rate(2), 500, look, sent(1), 4, look]
    got = frames(talk(steps, Memories()))
    assert got[1:] == [granted(Command.RATE)]
    assert seen == [0, 2]


def test_a_rate_that_the_device_has_not():
    index, got = rate_after(ask_rate(1), ask_rate(3), 900, rates=(1_000_000, 3_000_000))
    assert index == 0
    assert got == [refused(Reason.RATE)] * 2


def test_the_device_goes_back_where_it_hears_nothing():
    ticks = link.FALLBACK_TICKS
    lasts = (ticks - 1) * 1000
    assert rate_after(ask_rate(2), lasts, tick_every=1000)[0] == 2
    assert rate_after(ask_rate(2), lasts + 2000, tick_every=1000)[0] == 0
    confirm = request(Command.STATUS, sequence=101)
    assert rate_after(ask_rate(2), 900, confirm, lasts + 9000, tick_every=1000)[0] == 2
    noise = b"\x12\x34"
    steps = (ask_rate(2), 900, confirm, 3000, noise, lasts + 2000)
    assert rate_after(*steps, tick_every=1000)[0] == 0


def test_requests_are_taken_while_it_answers():
    """As many bytes as it answers come in meanwhile, and none is lost."""
    sent = [
        request(Command.READ, link.READ_REQUEST.pack(load_addr(Mem.COL, 0), 60), 100 + n)
        for n in range(6)
    ]
    got = answers(*sent, most=100_000)
    assert [frame[:2] for frame in got] == [(link.REPLY | Command.READ, 100 + n) for n in range(6)]
