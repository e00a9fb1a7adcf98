# amaranth: UnusedElaboratable=no
"""The queue of requests: whole ones come out as they came, damaged ones as a 0."""

import random

import pytest

from hw.arch import link
from hw.arch.link import Command
from hw.soc.queue import RequestQueue
from sim.pysim import run, send, take


def stored(*frames):
    """What the queue gives for frames; None stands for a damaged one."""
    out = b""
    for frame in frames:
        found = link.unframe(frame[1:-1])
        out += bytes(1)
        if found:
            out = out[:-1] + bytes([3 + len(found[3])]) + bytes(found[:3]) + found[3]
    return out


def frame(n, size, rng):
    return link.frame(3, n, 7, rng.randbytes(size))


def damaged(whole):
    return whole[:3] + bytes([whole[3] ^ 1]) + whole[4:]


@pytest.mark.parametrize("stall", [0.0, 0.5], ids=["flowing", "stalling"])
def test_requests_come_out_as_they_came(stall):
    """Twice round a queue of 512 bytes, while it is emptied."""
    rng, dut, got = random.Random(0), RequestQueue(512), []
    sent = [frame(n, rng.choice([0, 1, 40, 100]), rng) for n in range(40)]
    sent = [damaged(f) if n % 5 == 3 else f for n, f in enumerate(sent)]
    want = stored(*sent)
    assert len(want) > 2 * 512

    async def source(ctx):
        await send(ctx, dut.i, b"".join(sent))

    async def sink(ctx):
        got.extend(await take(ctx, dut.o, len(want), stall))

    run(dut, source, sink, cycles=40_000)
    assert bytes(got) == want


def filled(depth, frames):
    """What a queue gives that nobody empties until all has come."""
    dut, got = RequestQueue(depth), []

    async def bench(ctx):
        await send(ctx, dut.i, b"".join(frames))
        await ctx.tick().repeat(3)
        ctx.set(dut.o.ready, 1)
        for _ in range(depth):
            _, _, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                got.append(byte)

    run(dut, bench, cycles=40_000)
    return bytes(got)


@pytest.mark.parametrize("size", range(44, 60))
def test_a_full_queue_loses_frames_whole(size):
    """Of 256 bytes 2 x 96 are taken; the next has 64 for its length, itself and its CRC."""
    rng = random.Random(size)
    sent = [frame(n, 92, rng) for n in range(2)] + [frame(2, size, rng), frame(3, 0, rng)]
    kept = stored(*sent[:2])
    room = 256 - len(kept)
    want = kept
    for one in sent[2:]:
        if len(stored(one)) + link.CRC_BYTES <= room:
            want += stored(one)
            room -= len(stored(one))
        elif room > 1:
            want += b"\0"
            room -= 1
    assert filled(256, sent) == want


def test_nothing_tells_of_a_frame_when_there_is_no_room():
    """And those before it are whole."""
    rng = random.Random(0)
    sent = [frame(n, 92, rng) for n in range(2)] + [frame(n, 9, rng) for n in range(90)]
    got = filled(256, sent)
    assert len(got) == 255
    assert got.startswith(stored(*sent[:6]))
    assert set(got[len(stored(*sent[:6])) :]) == {0}


def test_good_urgent_and_abort():
    dut, seen = RequestQueue(512), []
    commands = [*Command, 0, 200]
    sent = b"".join(link.frame(c, 0, 0) for c in commands) + damaged(link.frame(10, 1, 2))

    async def source(ctx):
        await send(ctx, dut.i, sent)

    async def watch(ctx):
        for _ in range(9 * len(sent)):
            _, _, *flags = await ctx.tick().sample(dut.good, dut.urgent, dut.abort)
            if any(flags):
                seen.append(tuple(flags))

    run(dut, source, watch)
    assert seen == [(1, c in link.URGENT, c == Command.ABORT) for c in commands]


def test_latency():
    dut = RequestQueue(512)

    async def bench(ctx):
        await send(ctx, dut.i, link.frame(1, 2, 3))
        assert not ctx.get(dut.o.valid)
        await ctx.tick()
        assert ctx.get(dut.o.valid)
        assert ctx.get(dut.o.payload) == 3

    run(dut, bench)
