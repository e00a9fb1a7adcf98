# amaranth: UnusedElaboratable=no
"""Link endpoint against a core that only records what is done to it."""

import random
from itertools import count

import pytest
from amaranth.sim import Simulator

from hw.arch import Config, link
from hw.arch.link import Command, Reason
from hw.soc.link import LinkEndpoint
from sim.pysim import PERIOD, run, send, take

CONFIG = Config(rows=4, cols=16, width=64)
CYCLES = 0xDEADBEEF


def pixel(addr):
    """What the core's pixel memory holds."""
    return 3 * addr - 100


def talk(*requests, busy=False, stall=0.0, tick_every=2000):
    """Send byte strings; return per string (code, tag, payload) of its reply, and core events.

    Events are ("write", addr, data) and ("start",).
    """
    dut, replies, events = LinkEndpoint(CONFIG, clk_freq=50_000_000), [], []

    async def host(ctx):
        ctx.set(dut.busy, busy)
        ctx.set(dut.done, not busy)
        ctx.set(dut.cycles, CYCLES)
        for n, request in enumerate(requests):
            await send(ctx, dut.i, request, stall, seed=n)
            head = await take(ctx, dut.o, 4, stall, seed=n)
            rest = await take(ctx, dut.o, head[3] + 2, stall, seed=n)
            assert head[0] == link.SYNC
            assert link.crc16(bytes(head[1:] + rest)) == 0
            replies.append((head[1], head[2], bytes(rest[:-2])))

    async def core(ctx):  # and the tick; no repeat(): it cannot be abandoned half way
        for cycle in count():
            _, _, start, write, load_addr, data, peek = await ctx.tick().sample(
                dut.start, dut.load_valid, dut.load_addr, dut.load_data, dut.peek_addr
            )
            ctx.set(dut.peek_data, pixel(peek % (1 << 16)))
            ctx.set(dut.tick, cycle % tick_every == tick_every - 1)
            if start:
                events.append(("start",))
            if write:
                events.append(("write", load_addr, data))

    async def watchdog(ctx):
        await ctx.delay(30_000 * PERIOD)
        raise TimeoutError("no reply")

    sim = Simulator(dut)
    sim.add_clock(PERIOD)
    sim.add_testbench(host)
    sim.add_testbench(core, background=True)
    sim.add_testbench(watchdog, background=True)
    sim.run()
    return replies, events


def granted(command, payload=b"", tag=7):
    return (link.REPLY | command, tag, payload)


def refused(reason, tag=7):
    return (link.NAK, tag, bytes([reason]))


def write(addr, *words):
    return addr.to_bytes(4, "little") + b"".join(w.to_bytes(4, "little") for w in words)


def test_identify():
    replies, events = talk(link.frame(Command.IDENTIFY, 7))
    code, tag, payload = replies[0]
    assert (code, tag) == (link.REPLY | Command.IDENTIFY, 7)
    identity = link.Identity.decode(payload)
    assert identity.config == CONFIG
    assert identity.digest == CONFIG.digest
    assert identity.clock == 50_000_000
    assert not events


@pytest.mark.parametrize("stall", [0.0, 0.5], ids=["flowing", "stalling"])
def test_write_start_status_read(stall):
    rng = random.Random(1)
    words = [rng.randrange(1 << 32) for _ in range(link.MAX_WORDS)]
    data = rng.randbytes(link.MAX_BYTES)
    at, pix = 0x0A57_FFF0, 0x1800_0003
    replies, events = talk(
        link.frame(Command.WRITE, 1, write(at, *words)),
        link.frame(Command.WRITE, 2, write(5, 0)),
        link.frame(Command.WRITE_BYTES, 3, write(pix) + data),
        link.frame(Command.START, 4),
        link.frame(Command.STATUS, 5),
        link.frame(Command.READ, 6, link.READ_REQUEST.pack(0, link.MAX_WORDS)),
        link.frame(Command.READ, 7, link.READ_REQUEST.pack(40_000, 1)),
        stall=stall,
    )
    assert replies == [
        granted(Command.WRITE, tag=1),
        granted(Command.WRITE, tag=2),
        granted(Command.WRITE_BYTES, tag=3),
        granted(Command.START, tag=4),
        granted(Command.STATUS, link.STATUS_REPLY.pack(2, CYCLES), tag=5),
        granted(
            Command.READ,
            b"".join(pixel(a).to_bytes(4, "little", signed=True) for a in range(link.MAX_WORDS)),
            tag=6,
        ),
        granted(Command.READ, pixel(40_000).to_bytes(4, "little"), tag=7),
    ]
    assert events == [
        *(("write", at & 0xFFFF0000 | (at + k) & 0xFFFF, w) for k, w in enumerate(words)),
        ("write", 5, 0),
        *(("write", pix + k, v) for k, v in enumerate(data)),
        ("start",),
    ]


GOOD = link.frame(Command.WRITE, 7, write(3, 0x12345678, 0x9ABCDEF0))


@pytest.mark.parametrize("position", range(4, len(GOOD)))
def test_damaged_frame_changes_nothing(position):
    damaged = bytearray(GOOD)
    damaged[position] ^= 1 << position % 8
    replies, events = talk(bytes(damaged), link.frame(Command.STATUS, 8))
    assert replies[0] == refused(Reason.CRC)
    assert replies[1][:2] == (link.REPLY | Command.STATUS, 8)
    assert not events


@pytest.mark.parametrize("bit", range(16))
def test_each_bit_of_the_crc_is_looked_at(bit):
    """Damage after which the CRC register has this one bit set, and is 0 otherwise."""
    left = {link.crc16(error.to_bytes(2, "big")): error for error in range(1 << 16)}
    crc = int.from_bytes(GOOD[-2:], "big") ^ left[1 << bit]
    replies, events = talk(GOOD[:-2] + crc.to_bytes(2, "big"))
    assert replies == [refused(Reason.CRC)]
    assert not events


def test_damaged_head_changes_nothing():
    for position, tag in ((1, 7), (2, 7 ^ 4)):  # command, tag
        damaged = bytearray(GOOD)
        damaged[position] ^= 1 << 2
        replies, events = talk(bytes(damaged))
        assert replies == [refused(Reason.CRC, tag)]
        assert not events


def test_damaged_length_changes_nothing():
    longer, shorter = bytearray(GOOD), bytearray(GOOD)
    longer[3] += 1
    shorter[3] -= 4
    replies, events = talk(bytes(longer))
    assert replies == [refused(Reason.TIMEOUT)]
    assert not events
    replies, events = talk(bytes(shorter[:-4]))
    assert replies == [refused(Reason.CRC)]
    assert not events


@pytest.mark.parametrize("command", [0, 7, 8, 0x12, 0x81, 0xFF])
def test_unknown_command(command):
    replies, events = talk(link.frame(command, 7, write(3, 4)))
    assert replies == [refused(Reason.UNKNOWN)]
    assert not events


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (Command.IDENTIFY, b"x"),
        (Command.START, b"x"),
        (Command.STATUS, bytes(255)),
        (Command.WRITE, b""),
        (Command.WRITE, bytes(4)),
        (Command.WRITE, bytes(7)),
        (Command.WRITE, bytes(255)),
        (Command.WRITE, bytes(250)),
        (Command.WRITE_BYTES, bytes(4)),
        (Command.WRITE_BYTES, bytes(253)),
        (Command.READ, bytes(4)),
        (Command.READ, bytes(6)),
        (Command.READ, link.READ_REQUEST.pack(0, 0)),
        (Command.READ, link.READ_REQUEST.pack(0, link.MAX_WORDS + 1)),
    ],
    ids=lambda v: str(len(v)) if isinstance(v, bytes) else v.name,
)
def test_wrong_length(command, payload):
    replies, events = talk(link.frame(command, 7, payload))
    assert replies == [refused(Reason.LENGTH)]
    assert not events


def test_busy_core_is_left_alone():
    replies, events = talk(
        GOOD,
        link.frame(Command.WRITE_BYTES, 7, write(3) + b"x"),
        link.frame(Command.START, 7),
        link.frame(Command.READ, 7, link.READ_REQUEST.pack(0, 1)),
        link.frame(Command.STATUS, 7),
        link.frame(Command.IDENTIFY, 7),
        busy=True,
    )
    assert replies[:4] == [refused(Reason.BUSY)] * 4
    assert replies[4] == granted(Command.STATUS, link.STATUS_REPLY.pack(1, CYCLES))
    assert replies[5][0] == link.REPLY | Command.IDENTIFY
    assert not events


@pytest.mark.parametrize("kept", [1, 2, 3, 4, 9, len(GOOD) - 1])
def test_truncated_frame_times_out_and_the_next_is_taken(kept):
    replies, events = talk(GOOD[:kept], GOOD, tick_every=500)
    assert replies[0][0] == link.NAK
    assert replies[0][2] == bytes([Reason.TIMEOUT])
    assert replies[1] == granted(Command.WRITE)
    assert events == [("write", 3, 0x12345678), ("write", 4, 0x9ABCDEF0)]


def test_noise_between_frames_is_skipped():
    replies, _ = talk(b"\x00\xff\x5a" + link.frame(Command.STATUS, 9))
    assert replies == [granted(Command.STATUS, link.STATUS_REPLY.pack(2, CYCLES), tag=9)]


def paced(request, ticks):
    """Send a byte every 10 cycles, with ticks in some cycles; return the reply's code, payload."""
    dut, got = LinkEndpoint(CONFIG, clk_freq=50_000_000), []

    async def host(ctx):
        for cycle in range(10 * len(request)):
            ctx.set(dut.i.valid, cycle % 10 == 0)
            ctx.set(dut.i.payload, request[cycle // 10])
            ctx.set(dut.tick, cycle in ticks)
            if dut_replies(ctx):
                break
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.tick, 0)
        head = await take(ctx, dut.o, 4)
        got.extend([head[1], bytes(await take(ctx, dut.o, head[3]))])

    def dut_replies(ctx):
        return ctx.get(dut.o.valid)

    run(dut, host)
    return tuple(got)


@pytest.mark.parametrize("byte", range(1, len(GOOD)))
def test_a_silence_lasts_from_tick_to_tick(byte):
    """Given up at the second tick after a byte; not at one that a byte comes with."""
    at = 10 * byte
    granted_ = (link.REPLY | Command.WRITE, b"")
    assert paced(GOOD, {at - 7}) == granted_
    assert paced(GOOD, {at - 7, at}) == granted_  # the byte is taken in the second tick's cycle
    assert paced(GOOD, {at - 10, at - 5}) == granted_  # the first came with the byte before
    assert paced(GOOD, {at - 7, at - 1}) == (link.NAK, bytes([Reason.TIMEOUT]))
