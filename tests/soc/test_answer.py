"""What replies hold."""

import pytest

from hw.arch import link
from hw.arch.link import Command, State
from hw.arch.memmap import Mem, Stopped, load_addr
from tests.soc.endpoint import CLOCK, CONFIG, PC, Memories, frames, talk
from tests.soc.test_requests import address, answers, granted, request

COL = load_addr(Mem.COL, 5, 3, 1)


def words(core, addr, count):
    """Bytes of words that the core holds."""
    return b"".join(core.peek(addr + n).to_bytes(4, "little") for n in range(count))


def state(**changes):
    facts = {"busy": False, "done": False, "stopped": Stopped.NO}
    facts |= {"run": 0, "pc": PC, "logged": 0, "cycles": 0}
    return State(**{**facts, **changes})


def test_identity_and_the_session_before():
    sent = [
        link.frame(Command.IDENTIFY, 9, 1, link.SESSION.pack(0x01020304)),
        link.frame(Command.IDENTIFY, 3, 2, link.SESSION.pack(5)),
        link.frame(Command.IDENTIFY, 4, 3, link.SESSION.pack(5)),
    ]
    got = frames(talk(sent, Memories(), rates=(1_000_000, 3_000_000)))
    assert [frame[:3] for frame in got] == [(0x81, 9, 1), (0x81, 3, 2), (0x81, 4, 3)]
    assert [link.SESSION.unpack_from(f[3])[0] for f in got] == [0, 0x01020304, 5]
    for *_, payload in got:
        identity = link.Identity.decode(payload[link.SESSION.size :])
        assert identity.config == CONFIG
        assert identity.digest == CONFIG.digest
        assert identity.clock == CLOCK
        assert identity.queue == link.QUEUE
        assert identity.rates == (1_000_000, 3_000_000)


def test_state():
    core = Memories(log=[1, 2])
    core.done, core.stopped, core.cycles = True, Stopped.WATCHDOG, 0xDEADBEEF
    got = answers(request(Command.STATUS), request(Command.ABORT, sequence=55), core=core)
    want = state(done=True, stopped=Stopped.WATCHDOG, logged=2, cycles=0xDEADBEEF).encode()
    assert got == [granted(Command.STATUS, want), granted(Command.ABORT, want, 55)]


@pytest.mark.parametrize("stall", [0.0, 0.8], ids=["flowing", "stalling"])
def test_words_of_memories(stall):
    core, last = Memories(log=range(60)), load_addr(Mem.PIX, CONFIG.pix_depth - 1)
    got = answers(
        request(Command.READ, link.READ_REQUEST.pack(COL, link.MAX_WORDS)),
        request(Command.READ, link.READ_REQUEST.pack(last, 1), 101),
        request(Command.LOG, link.READ_REQUEST.pack(1, 3), 102),
        request(Command.RESULT, link.READ_REQUEST.pack(COL, 0), 103),
        request(Command.RESULT, link.READ_REQUEST.pack(COL, link.RESULT_WORDS), 104),
        core=core,
        stall=stall,
    )
    at_rest = state(logged=60).encode()
    assert got == [
        granted(Command.READ, words(core, COL, link.MAX_WORDS)),
        granted(Command.READ, words(core, last, 1), 101),
        granted(Command.LOG, b"".join(bytes([n, 0, 0, 0]) for n in (1, 2, 3)), 102),
        granted(Command.RESULT, at_rest, 103),
        granted(Command.RESULT, at_rest + words(core, COL, link.RESULT_WORDS), 104),
    ]


@pytest.mark.parametrize("count", [1, 2, 65])
def test_check_sum_is_that_of_the_words_read(count):
    core = Memories()
    got = answers(
        request(Command.WRITE, address(COL) + bytes(range(8))),
        request(Command.CRC, link.CRC_REQUEST.pack(COL, count), 101),
        request(Command.CRC, link.CRC_REQUEST.pack(COL, count), 102),
        core=core,
        rest=6000,
    )
    want = link.crc32(words(core, COL, count)).to_bytes(4, "little")
    assert got[1:] == [granted(Command.CRC, want, 101), granted(Command.CRC, want, 102)]
