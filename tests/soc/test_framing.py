"""Frames in gateware against those of ``hw.arch.link``."""

import random
import zlib

import pytest

from hw.arch import link
from hw.soc.framing import CRC32, Deframer, Framer
from sim.pysim import run, send, take

SPECIAL = bytes([link.END, link.ESCAPE, 0x5E, 0x5D, link.STUFFING])


def test_crc_is_zlibs():
    dut, rng = CRC32(), random.Random(0)
    messages = [rng.randbytes(n) for n in (1, 2, 5, 30)]

    async def bench(ctx):
        assert ctx.get(dut.crc) == 0
        for message in messages:
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            for n in range(len(message)):
                await send(ctx, dut.i, message[n : n + 1])
                cycles = 0
                while not ctx.get(dut.i.ready):
                    await ctx.tick()
                    cycles += 1
                assert cycles == 8
                assert ctx.get(dut.crc) == zlib.crc32(message[: n + 1])

    run(dut, bench)


def test_crc_begins_with_the_byte_that_clears():
    dut, got = CRC32(), []

    async def bench(ctx):
        await send(ctx, dut.i, b"xyz")
        await ctx.tick().repeat(8)
        ctx.set(dut.clear, 1)
        await send(ctx, dut.i, b"a")
        ctx.set(dut.clear, 0)
        await ctx.tick().repeat(8)
        got.append(ctx.get(dut.crc))

    run(dut, bench)
    assert got == [zlib.crc32(b"a")]


@pytest.mark.parametrize("stall", [0.0, 0.5], ids=["flowing", "stalling"])
def test_frames_out(stall):
    rng, dut, got = random.Random(1), Framer(), []
    bodies = [rng.randbytes(3), SPECIAL, rng.randbytes(20) + SPECIAL * 3, bytes([link.END])]
    # A CRC that has to be stuffed too.
    bodies.append(next(b for n in range(1 << 16) if _stuffed(b := n.to_bytes(3, "big"))))
    want = b"".join(link.frame(b[0], 0, 0)[:1] + _frame(b) for b in bodies)

    async def source(ctx):
        items = [
            {"byte": byte, "last": n == len(body) - 1}
            for body in bodies
            for n, byte in enumerate(body)
        ]
        assert ctx.get(dut.idle)
        await send(ctx, dut.i, items, stall)

    async def sink(ctx):
        got.extend(await take(ctx, dut.o, len(want), stall))
        await ctx.tick()
        assert ctx.get(dut.idle)

    run(dut, source, sink)
    assert bytes(got) == want


def _frame(body):
    """A frame without its first END."""
    whole = body + zlib.crc32(body).to_bytes(4, "little")
    for byte in (link.ESCAPE, link.END):
        whole = whole.replace(bytes([byte]), bytes([link.ESCAPE, byte ^ link.STUFFING]))
    return whole + bytes([link.END])


def _stuffed(body):
    crc = zlib.crc32(body).to_bytes(4, "little")
    return link.END in crc or link.ESCAPE in crc


def taken(data, stall=0.0):
    """Return (bytes, good) of each frame that a Deframer finds in ``data``."""
    dut, out, now = Deframer(), [], bytearray()

    async def source(ctx):
        await send(ctx, dut.i, data, stall)

    async def watch(ctx):
        sent = 0
        while sent < len(data):
            _, _, valid, ready, got, byte, count, ended, good = await ctx.tick().sample(
                dut.i.valid, dut.i.ready, dut.taken, dut.byte, dut.count, dut.ended, dut.good
            )
            sent += valid & ready
            assert not (ended and got)
            if got or ended:
                assert count == min(len(now), 260)
            if got:
                now.append(byte)
            if ended:
                out.append((bytes(now), bool(good)))
                now.clear()

    run(dut, source, watch, cycles=20 * len(data) + 100)
    return out


def body(frame):
    """What a frame holds with its CRC, without stuffing."""
    code, sequence, tag, payload = link.unframe(frame[1:-1])
    data = bytes([code, sequence, tag]) + payload
    return data + zlib.crc32(data).to_bytes(4, "little")


@pytest.mark.parametrize("stall", [0.0, 0.5], ids=["flowing", "stalling"])
def test_frames_in(stall):
    rng = random.Random(2)
    sent = [link.frame(1, 2, 3, SPECIAL * 4), link.frame(0x7E, 0x7D, 0)]
    sent += [link.frame(9, n, n, rng.randbytes(n)) for n in (1, 7, 40)]
    assert taken(b"".join(sent), stall) == [(body(f), True) for f in sent]
    assert taken(bytes([link.END]) * 5 + sent[0]) == [(body(sent[0]), True)]
    shared = sent[0][:-1] + sent[1]  # one END between them is enough
    assert taken(shared, stall) == [(body(f), True) for f in sent[:2]]


def test_length_of_a_frame_that_is_good():
    longest, longer = (link.frame(1, 2, 3, bytes(n)) for n in (252, 253))
    short = b"\x01\x02" + zlib.crc32(b"\x01\x02").to_bytes(4, "little")
    sent = longest + longer + b"\x7e" + short + b"\x7e" + link.frame(1, 2, 3)
    assert [good for _, good in taken(sent)] == [True, False, False, True]
    much = b"\x7e" + bytes(600) + longest
    assert [good for _, good in taken(much)] == [False, True]


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: f[:-1] + bytes([link.ESCAPE, link.END]),
        lambda f: f[:5] + f[6:],
        lambda f: f[:5] + f[4:],
        lambda f: f[:4] + bytes([link.ESCAPE]) + f[4:],
        lambda f: bytes([f[0], f[1] ^ 0x80]) + f[2:],
        lambda f: f[:9] + bytes([link.END]) + f[9:],
    ],
)
def test_a_damaged_frame_is_over_at_its_end(damage):
    """And the next one is good."""
    good = link.frame(3, 4, 5, bytes(range(12)))
    found = taken(damage(good) + good)
    assert {ok for _, ok in found[:-1]} == {False}
    assert found[-1] == (body(good), True)


def ending(data, crc):
    """Four bytes behind which the CRC-32 is ``crc``: the CRC is linear."""
    base = zlib.crc32(data + bytes(4))
    rows = [(zlib.crc32(data + (1 << n).to_bytes(4, "little")) ^ base, 1 << n) for n in range(32)]
    want, answer = crc ^ base, 0
    for bit in reversed(range(32)):
        at = next((r for r in rows if r[0] >> bit & 1), None)
        if at is None:
            continue
        rows = [(r[0] ^ at[0], r[1] ^ at[1]) if r[0] >> bit & 1 else r for r in rows if r != at]
        if want >> bit & 1:
            want, answer = want ^ at[0], answer ^ at[1]
    assert want == 0
    return answer.to_bytes(4, "little")


def test_each_bit_of_the_crc_is_looked_at():
    """Damage that shows in this one bit of the register alone."""
    data, sent = b"\x05\x06\x07", b""
    for bit in range(32):
        whole = data + ending(data, link.CRC_RESIDUE ^ 1 << bit)
        assert zlib.crc32(whole) == link.CRC_RESIDUE ^ 1 << bit
        for byte in (link.ESCAPE, link.END):
            whole = whole.replace(bytes([byte]), bytes([link.ESCAPE, byte ^ link.STUFFING]))
        sent += b"\x7e" + whole + b"\x7e"
    found = taken(sent + link.frame(*data))
    assert [good for _, good in found] == [False] * 32 + [True]
