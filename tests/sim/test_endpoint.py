"""The endpoint's model against the endpoint, byte for byte, on the same bytes."""

import random

import pytest

from hw.arch import link
from hw.arch.link import Command
from hw.arch.memmap import Mem, load_addr
from sim.endpoint import Endpoint
from sim.line import Faults
from tests.soc.endpoint import CLOCK, CONFIG, Memories, frames, talk

LOG = [3, 1 << 31, 77]
ADDRESSES = [
    load_addr(Mem.PIX, CONFIG.pix_depth - 3),
    load_addr(Mem.COL, 5, 15, 1),
    load_addr(Mem.COL, 5, 16),
    load_addr(Mem.ROW, CONFIG.row_depth - 1, 3),
    load_addr(Mem.ROW, 0, 0, 2),
    load_addr(Mem.PROG, 7),
    load_addr(Mem.CTRL, 0),
    7 << 27,
]


def payload(rng, command):
    """One that is allowed, mostly."""
    address = rng.choice(ADDRESSES).to_bytes(4, "little")
    if command == Command.WRITE:
        return address + rng.randbytes(4 * rng.choice([1, 1, 2, 3]))
    if command == Command.WRITE_BYTES:
        return address + rng.randbytes(rng.randrange(1, 6))
    if command == Command.IDENTIFY:
        return link.SESSION.pack(rng.choice([1, 2]))
    if command == Command.START:
        return link.START_REQUEST.pack(rng.choice([1, 2]), rng.getrandbits(32))
    if command == Command.CRC:
        return address + rng.choice([0, 1, 2, 3]).to_bytes(2, "little")
    if command == Command.LOG:
        return rng.randrange(4).to_bytes(4, "little") + bytes([rng.randrange(4)])
    if command in (Command.READ, Command.RESULT):
        return address + bytes([rng.choice([0, 1, 2, 3, 61, 63])])
    if command == Command.RATE:
        return bytes([rng.randrange(4)])
    return b""


def conversation(seed, count):
    """Requests in and out of order, some of wrong lengths, some unknown."""
    rng, due, out = random.Random(seed), 0, []
    for number in range(count):
        command = rng.choice([*Command, Command.WRITE, Command.READ])
        if number == 1:
            command = Command.IDENTIFY
        data = payload(rng, command)
        if rng.random() < 0.1:
            data = data[:-1] if rng.random() < 0.5 else data + b"x"
        sequence = due if rng.random() < 0.8 else rng.randrange(256)
        code = command if rng.random() < 0.95 else rng.choice([0, 12, 0x84, 255])
        out.append(link.frame(code, sequence, rng.randrange(256), data))
        if rng.random() < 0.8:
            due = (sequence + 1) & 0xFF
    return out


def both(sent):
    """Return events and answers of the endpoint and of its model."""
    cores = Memories(log=LOG), Memories(log=LOG)
    real = talk(sent, cores[0], most=400_000)
    model = Endpoint(CONFIG, cores[1], clock=CLOCK)
    for data in sent:
        model.take(data)
        while cores[1].busy:
            cores[1].run_on()
            model.go_on()
    return (cores[0].events, real), (cores[1].events, bytes(model.out))


@pytest.mark.parametrize("seed", range(2))
def test_answers_are_the_same(seed):
    sent = conversation(seed, 60)
    (events, answers), (want_events, want) = both(sent)
    assert frames(answers) == frames(want)
    assert events == want_events
    assert len(frames(want)) == len(sent)
    granted = [frame[0] for frame in frames(want) if frame and frame[0] != link.NAK]
    assert len(granted) > 10


@pytest.mark.parametrize("rate", [1e-2, 4e-2])
def test_answers_to_damaged_frames_are_the_same(rate):
    faults = Faults(rate, 0)
    sent = [faults(data) for data in conversation(5, 50)]
    (events, answers), (want_events, want) = both(sent)
    assert faults.count > 3
    assert frames(answers) == frames(want)
    assert events == want_events
