"""Which requests are granted, in which order, and what they do to the core."""

import pytest

from hw.arch import link
from hw.arch.link import Command, Reason
from hw.arch.memmap import Mem, load_addr
from tests.soc.endpoint import CONFIG, Memories, frames, talk

OPEN = link.frame(Command.IDENTIFY, 99, 1, link.SESSION.pack(5))  # 100 is due
PIX = load_addr(Mem.PIX, 3)


def address(addr):
    return addr.to_bytes(4, "little")


def request(command, payload=b"", sequence=100, tag=7):
    return link.frame(command, sequence, tag, payload)


def answers(*sent, core=None, **options):
    """Code, sequence, tag and payload of what ``sent`` is answered after a session was opened."""
    found = frames(talk([OPEN, *sent], core or Memories(), **options))
    assert found[0][0] == link.REPLY | Command.IDENTIFY
    return found[1:]


def refused(reason, sequence=100, tag=7, due=100):
    return (link.NAK, sequence, tag, bytes([reason, due]))


def granted(command, payload=b"", sequence=100, tag=7):
    return (link.REPLY | command, sequence, tag, payload)


def test_words_are_written_once_each_at_its_address():
    core, at = Memories(), load_addr(Mem.COL, 1000, 15, 1)
    words = [0x12345678, 0x9ABCDEF0, 3]
    payload = address(at) + b"".join(w.to_bytes(4, "little") for w in words)
    got = answers(
        request(Command.WRITE, payload),
        request(Command.WRITE_BYTES, address(PIX) + bytes([9, 255, 0]), 101),
        core=core,
    )
    assert got == [granted(Command.WRITE), granted(Command.WRITE_BYTES, sequence=101)]
    assert core.events == [
        *(("load", at + n, word) for n, word in enumerate(words)),
        *(("load", PIX + n, byte) for n, byte in enumerate([9, 255, 0])),
    ]


@pytest.mark.parametrize("size", [link.MAX_WORDS, 1])
def test_the_longest_and_the_shortest_write(size):
    core = Memories()
    data = bytes(n % 251 for n in range(4 * size))
    got = answers(
        request(Command.WRITE, address(0) + data),
        request(Command.WRITE_BYTES, address(load_addr(Mem.COL, 0)) + data, 101),
        core=core,
    )
    assert [frame[0] for frame in got] == [link.REPLY | 2, link.REPLY | 3]
    words = [int.from_bytes(data[n : n + 4], "little") for n in range(0, len(data), 4)]
    assert [event[2] for event in core.events] == [*words, *data]


WRONG_LENGTHS = [
    (Command.IDENTIFY, bytes(3)),
    (Command.IDENTIFY, bytes(5)),
    (Command.WRITE, bytes(4)),
    (Command.WRITE, bytes(7)),
    (Command.WRITE, bytes(251)),
    (Command.WRITE, b""),
    (Command.WRITE_BYTES, bytes(4)),
    (Command.START, bytes(5)),
    (Command.STATUS, b"x"),
    (Command.READ, bytes(4)),
    (Command.READ, link.READ_REQUEST.pack(0, 0)),
    (Command.READ, link.READ_REQUEST.pack(0, link.MAX_WORDS + 1)),
    (Command.LOG, link.READ_REQUEST.pack(0, 0)),
    (Command.RESULT, link.READ_REQUEST.pack(0, link.RESULT_WORDS + 1)),
    (Command.RESULT, bytes(6)),
    (Command.CRC, bytes(5)),
    (Command.CRC, link.CRC_REQUEST.pack(0, 0)),
    (Command.ABORT, b"x"),
    (Command.RATE, b""),
]


def test_wrong_lengths():
    core = Memories(log=range(3))
    got = answers(*(request(command, data) for command, data in WRONG_LENGTHS), core=core)
    assert got == [refused(Reason.LENGTH)] * len(WRONG_LENGTHS)
    assert not core.events


@pytest.mark.parametrize("command", [0, 12, 13, 0x81, 0xFF])
def test_unknown_command(command):
    assert answers(request(command, address(3) + bytes(4))) == [refused(Reason.UNKNOWN)]


NOWHERE = [
    load_addr(Mem.COL, 0, 16),
    load_addr(Mem.COL, 0, 0, 2),
    load_addr(Mem.COL, CONFIG.col_depth),
    load_addr(Mem.PIX, CONFIG.pix_depth - 1),
    load_addr(Mem.PROG, 65_535),
    load_addr(Mem.CTRL, 0),
    load_addr(Mem.RES, CONFIG.res_depth - 1),
    load_addr(Mem.RES, 0, 2 * CONFIG.cols),
    6 << 27,
    1 << 31,
]


def test_addresses_that_no_memory_has():
    """Two words from each: the second is beyond it where the first is not."""
    core, sent = Memories(), []
    for addr in NOWHERE:
        sent += [
            request(Command.WRITE, address(addr) + bytes(8)),
            request(Command.WRITE_BYTES, address(addr) + bytes(2)),
            request(Command.READ, link.READ_REQUEST.pack(addr, 2)),
            request(Command.RESULT, link.READ_REQUEST.pack(addr, 2)),
            request(Command.CRC, link.CRC_REQUEST.pack(addr, 2)),
        ]
    assert answers(*sent, core=core) == [refused(Reason.ADDRESS)] * len(sent)
    assert not core.events


def test_control_can_be_written_and_not_read():
    control = load_addr(Mem.CTRL, 0)
    core = Memories()
    got = answers(
        request(Command.WRITE, address(control) + bytes(4)),
        request(Command.READ, link.READ_REQUEST.pack(control, 1), 101),
        core=core,
    )
    assert got == [granted(Command.WRITE), refused(Reason.ADDRESS, 101, due=101)]
    assert core.events == [("load", control, 0)]


def test_residuals_can_be_read_and_not_written():
    """Of either buffer, first lane and last; nor has the CRC of what was read a word more."""
    core, sent, want, due = Memories(), [], [], 100
    for bank in (0, CONFIG.cols - 1, CONFIG.cols, 2 * CONFIG.cols - 1):
        addr = load_addr(Mem.RES, CONFIG.res_depth - 2, bank)
        words = b"".join(core.peek(addr + n).to_bytes(4, "little") for n in range(2))
        reads = (
            (Command.READ, link.READ_REQUEST, words),
            (Command.CRC, link.CRC_REQUEST, link.CRC_REPLY.pack(link.crc32(words))),
        )
        for command, layout, answer in reads:
            sent += [request(command, layout.pack(addr, n), due) for n in (3, 2)]
            want += [refused(Reason.ADDRESS, due, due=due), granted(command, answer, due)]
            due += 1
        for command, data in ((Command.WRITE, bytes(4)), (Command.WRITE_BYTES, bytes(1))):
            sent.append(request(command, address(addr) + data, due))
            want.append(refused(Reason.ADDRESS, due, due=due))
    assert answers(*sent, core=core) == want
    assert not [event for event in core.events if event[0] == "load"]


def test_log_beyond_what_was_logged():
    core = Memories(log=[5, 6, 7])
    asked = [(0, 3), (0, 4), (3, 1), (2, 1), (1 << 16, 1), (1 << 31, 1)]
    got = answers(
        *(request(Command.LOG, link.READ_REQUEST.pack(*one), 100) for one in asked[:1]),
        *(request(Command.LOG, link.READ_REQUEST.pack(*one), 101) for one in asked[1:]),
        core=core,
    )
    words = b"".join(n.to_bytes(4, "little") for n in (5, 6, 7))
    assert got[0] == granted(Command.LOG, words)
    assert got[1:3] == [refused(Reason.ADDRESS, 101, due=101)] * 2
    assert got[3] == granted(Command.LOG, words[8:], 101)
    assert {frame[0] for frame in got[4:]} == {link.NAK}


def test_nothing_is_done_before_a_session():
    core = Memories()
    sent = [request(c, bytes(n)) for c, n in ((Command.WRITE, 8), (Command.STATUS, 0), (200, 0))]
    got = frames(talk(sent, core))
    assert got == [refused(Reason.CLOSED, due=0)] * 3
    assert not core.events


def test_order():
    """What comes again is not done again; what comes too early is not done."""
    core, sent = Memories(), []
    for sequence in (100, 100, 101, 103, 101, 99, 102):
        sent.append(request(Command.WRITE_BYTES, address(PIX) + bytes([sequence]), sequence))
    got = answers(*sent, core=core)
    order = [
        granted(Command.WRITE_BYTES),
        refused(Reason.ORDER, 100, due=101),
        granted(Command.WRITE_BYTES, sequence=101),
        refused(Reason.ORDER, 103, due=102),
        refused(Reason.ORDER, 101, due=102),
        refused(Reason.ORDER, 99, due=102),
        granted(Command.WRITE_BYTES, sequence=102),
    ]
    assert got == order
    assert [event[2] for event in core.events] == [100, 101, 102]


def test_order_goes_round():
    core = Memories()
    sent = [link.frame(Command.IDENTIFY, 254, 1, bytes([1, 0, 0, 0]))]
    sent += [request(Command.STATUS, sequence=n) for n in (255, 0, 1)]
    assert [f[0] for f in frames(talk(sent, core))][1:] == [link.REPLY | Command.STATUS] * 3


def test_what_is_refused_stays_due():
    core = Memories()
    got = answers(
        request(Command.WRITE, address(NOWHERE[0]) + bytes(4)),
        request(Command.WRITE_BYTES, address(PIX) + b"a", 101),
        request(Command.WRITE_BYTES, address(PIX) + b"b", 100),
        core=core,
    )
    assert got == [
        refused(Reason.ADDRESS),
        refused(Reason.ORDER, 101, due=100),
        granted(Command.WRITE_BYTES),
    ]
    assert core.events == [("load", PIX, ord("b"))]


def test_damaged_frames_change_nothing():
    core = Memories()
    whole = request(Command.WRITE, address(PIX) + bytes(range(8)))
    sent = [whole[:n] + bytes([whole[n] ^ 0x01]) + whole[n + 1 :] for n in range(1, 12)]
    got = answers(*sent, core=core)
    assert got == [refused(Reason.DAMAGED, 0, 0)] * len(sent)
    assert not core.events


def test_a_busy_core_is_left_alone():
    core = Memories(runs=100_000, log=range(3))
    start = request(Command.START, link.START_REQUEST.pack(1, 77))
    sent = [
        request(Command.WRITE, address(PIX) + bytes(4), 101),
        request(Command.WRITE_BYTES, address(PIX) + b"x", 101),
        request(Command.READ, link.READ_REQUEST.pack(PIX, 1), 101),
        request(Command.CRC, link.CRC_REQUEST.pack(PIX, 1), 101),
        request(Command.LOG, link.READ_REQUEST.pack(0, 1), 101),
        request(Command.START, link.START_REQUEST.pack(2, 0), 101),
    ]
    again = request(Command.START, link.START_REQUEST.pack(1, 0), 101)
    got = answers(start, *sent, again, core=core)
    assert got[0] == granted(Command.START)
    assert got[1:-1] == [refused(Reason.BUSY, 101, due=101)] * len(sent)
    assert got[-1] == granted(Command.START, sequence=101)
    assert core.events == [("start", 77)]


def test_a_run_is_started_once_in_a_session():
    core = Memories(runs=1)

    def start(sequence, run, limit):
        return request(Command.START, link.START_REQUEST.pack(run, limit), sequence)

    other, same = (link.frame(Command.IDENTIFY, n, 1, link.SESSION.pack(6)) for n in (103, 105))
    sent = [start(100, 1, 10), 50, start(101, 1, 11), 50, start(102, 2, 0xFFFFFFFF), 50]
    sent += [other, start(104, 2, 12), 50, same, start(106, 2, 13), 50]
    got = answers(*sent, core=core)
    assert {frame[0] for frame in got} <= {link.REPLY | Command.START, link.REPLY | 1}
    assert core.events == [("start", 10), ("start", 0xFFFFFFFF), ("start", 12)]
