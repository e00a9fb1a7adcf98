"""Requests and words come across in order, whatever the clocks; what is dropped never comes."""

import random
from collections import deque

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from hw.outside.crossing import WORDS, Crossing

CLOCKS = {"same": (10, 10, 0), "slow memory": (7, 23, 3), "fast memory": (29, 8, 1),
          "near": (10, 11, 2)}  # fmt: skip


class Memory:
    """The memory's end: a word of an address is its own, and a write is written down."""

    def __init__(self, seed, slow):
        self.rng, self.slow, self.written = random.Random(f"memory {seed}"), slow, []

    async def play(self, ctx, end):
        job, flying, cycle = None, deque(), 0
        while True:
            cycle += 1
            go = self.rng.random() >= self.slow
            ctx.set(end.request.ready, job is None and go)
            ctx.set(end.write.ready, job is not None and job["write"] and go)
            due = bool(flying) and flying[0][0] <= cycle
            ctx.set(end.read.valid, due)
            ctx.set(end.read.payload, flying[0][1] if due else 0xDEAD)
            ctx.set(end.clean, job is None and not flying)
            *_, asked, request, write, word, room, level, drop = await ctx.tick("far").sample(
                end.request.valid, end.request.payload, end.write.valid, end.write.payload,
                end.read.ready, end.level, end.drop,
            )  # fmt: skip
            if due:
                assert room, "a word has no room"
                flying.popleft()
            if job is not None and go:
                if job["write"]:
                    if write:
                        self.written.append((job["addr"], word))
                        job["addr"], job["count"] = job["addr"] + 1, job["count"] - 1
                elif level + len(flying) < WORDS - 2:
                    flying.append((cycle + 9, job["addr"]))
                    job["addr"], job["count"] = job["addr"] + 1, job["count"] - 1
                if not job["count"]:
                    job = None
            elif job is None and go and asked:
                job = {"addr": request.addr, "count": request.count, "write": request.write}
            if drop:
                job = None


def play(main, clocks, seed=0, slow=0.0):
    """Run ``main(ctx, port, got)`` with a memory behind; return what that has written.

    ``got`` fills with the words that come.
    """
    near, far, phase = clocks
    top, dut, memory, got = Module(), Crossing("far"), Memory(seed, slow), Got()
    top.domains += [ClockDomain("sync"), ClockDomain("far")]
    top.submodules.dut = dut
    sim = Simulator(top)
    sim.add_clock(near * 1e-9)
    sim.add_clock(far * 1e-9, phase=phase * 1e-9, domain="far")

    async def core(ctx):
        await main(ctx, dut.port, got)

    async def board(ctx):
        await memory.play(ctx, dut.memory)

    async def watching(ctx):
        pace, port = random.Random(f"pace {seed}"), dut.port
        while True:
            ctx.set(port.read.ready, got.takes and pace.random() >= slow)
            *_, asked, request, gives, wanted, comes, word, takes, drop = await ctx.tick().sample(
                port.request.valid & port.request.ready, port.request.payload, port.write.valid,
                port.write.ready, port.read.valid, port.read.payload, port.read.ready, port.drop,
            )  # fmt: skip
            assert not comes or got.owed, "a word that nobody asked for"
            assert not wanted or got.promised, "a word is wanted that nobody promised"
            got.promised -= wanted and gives
            if comes and takes:
                got.words.append(word)
                got.owed -= 1
            if asked and request.write:
                got.promised += request.count
            elif asked:
                got.owed += request.count
            if drop:
                got.owed = got.promised = 0

    async def watchdog(ctx):
        await ctx.delay(1e-3)
        raise TimeoutError("not finished")

    sim.add_testbench(watching, background=True)  # first: what it knows is of this cycle
    sim.add_testbench(core)
    for process in (board, watchdog):
        sim.add_testbench(process, background=True)
    sim.run()
    return memory.written


class Got:
    """Words that came, and how many of each direction are still to come."""

    def __init__(self):
        self.words, self.owed, self.promised, self.takes = [], 0, 0, True


async def ask(ctx, port, addr, count, write=False):
    ctx.set(port.request.payload, {"addr": addr, "count": count, "write": write})
    ctx.set(port.request.valid, 1)
    while not (await ctx.tick().sample(port.request.ready))[2]:
        pass
    ctx.set(port.request.valid, 0)


async def give(ctx, port, words):
    for word in words:
        ctx.set(port.write.payload, word)
        ctx.set(port.write.valid, 1)
        while not (await ctx.tick().sample(port.write.ready))[2]:
            pass
        ctx.set(port.write.valid, 0)


@pytest.mark.parametrize("slow", [0.0, 0.6])
@pytest.mark.parametrize("clocks", CLOCKS)
def test_in_order(clocks, slow):
    rng, want, sent = random.Random(clocks), [], []

    async def main(ctx, port, got):
        for _ in range(20):
            addr, count = rng.randrange(1 << 20), rng.choice([1, 2, rng.randrange(1, 70)])
            if rng.random() < 0.5:
                words = [rng.getrandbits(32) for _ in range(count)]
                sent.extend(zip(range(addr, addr + count), words, strict=True))
                await ask(ctx, port, addr, count, write=True)
                await give(ctx, port, words)
            else:
                want.extend(range(addr, addr + count))
                await ask(ctx, port, addr, count)
        while got.owed:
            await ctx.tick()
        assert got.words == want
        await ask(ctx, port, 1, 1)  # behind the last write
        while got.owed:
            await ctx.tick()

    assert play(main, CLOCKS[clocks], slow=slow) == sent


@pytest.mark.parametrize("slow", [0.0, 0.6])
@pytest.mark.parametrize("clocks", CLOCKS)
def test_drop(clocks, slow):
    """A drop at any time; what comes then is of the requests that were taken then."""
    rng = random.Random(clocks)

    async def main(ctx, port, got):
        for turn in range(25):
            for k in range(rng.randrange(1, 5)):
                write = rng.random() < 0.4
                await ask(ctx, port, turn << 12 | k << 8, rng.randrange(1, 100), write)
                ctx.set(port.write.payload, turn)
                if write:
                    break
            for _ in range(rng.choice([0, 1, 2, rng.randrange(40), rng.randrange(300)])):
                ctx.set(port.write.valid, got.promised > 0)
                await ctx.tick()
            ctx.set(port.write.valid, 0)
            ctx.set(port.drop, 1)
            await ctx.tick()
            ctx.set(port.drop, 0)
            assert not ctx.get(port.request.ready)
            got.words.clear()
            if rng.random() < 0.5:
                words = [turn << 8 | n for n in range(rng.randrange(1, 50))]
                await ask(ctx, port, 1 << 20, len(words), write=True)
                await give(ctx, port, words)
            count = rng.randrange(1, 80)
            await ask(ctx, port, turn << 12 | 1 << 11, count)
            while got.owed:
                await ctx.tick()
            assert got.words == list(range(turn << 12 | 1 << 11, (turn << 12 | 1 << 11) + count))

    written = play(main, CLOCKS[clocks], slow=slow)
    whole = [word for addr, word in written if addr >= 1 << 20]
    assert whole == sorted(whole)
    runs = {}
    for word in whole:
        runs.setdefault(word >> 8, []).append(word & 0xFF)
    assert runs
    assert all(words == list(range(len(words))) for words in runs.values())


@pytest.mark.parametrize("clocks", CLOCKS)
def test_a_drop_while_the_core_takes_no_word(clocks):
    """Words that lie in the way go, and others follow."""

    async def main(ctx, port, got):
        got.takes = False
        for _ in range(3):
            await ask(ctx, port, 0, 5 * WORDS)
        await ctx.tick().repeat(8 * WORDS)
        ctx.set(port.drop, 1)
        await ctx.tick()
        ctx.set(port.drop, 0)
        await ask(ctx, port, 1 << 20, 3)
        got.takes = True
        while got.owed:
            await ctx.tick()
        assert got.words == [1 << 20, (1 << 20) + 1, (1 << 20) + 2]

    play(main, CLOCKS[clocks])


def test_a_word_a_cycle():
    async def main(ctx, port, got):
        await ask(ctx, port, 0, 500)
        while not got.words:
            await ctx.tick()
        await ctx.tick().repeat(399)
        assert len(got.words) == 400

    play(main, CLOCKS["same"])
