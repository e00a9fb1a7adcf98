# amaranth: UnusedElaboratable=no
"""Words become parts on a native port and words again; never more are under way than have room."""

import random
from collections import deque

import pytest

from hw.outside.crossing import WORDS
from hw.outside.native import Native
from sim.pysim import run

BITS = 14  #: Of the address of a part.


class Controller:
    """A native port as LiteDRAM has it: in order, after any time, and it waits for no one."""

    def __init__(self, seed, busy):
        self.memory, self.rng, self.busy = {}, random.Random(f"controller {seed}"), busy
        self.queue, self.due = deque(), deque()  # commands; (cycle, part) of reads

    async def play(self, ctx, port, width, over):
        cycle = 0
        while not over:
            cycle += 1
            ready = len(self.queue) < 9 and self.rng.random() >= self.busy
            do = bool(self.queue) and self.rng.random() >= self.busy
            valid = bool(self.due) and self.due[0][0] <= cycle
            ctx.set(port.cmd_ready, ready)
            ctx.set(port.wdata_ready, do and self.queue[0][0])
            ctx.set(port.rdata_valid, valid)
            ctx.set(port.rdata, self.due.popleft()[1] if valid else self.rng.getrandbits(width))
            *_, taken, we, addr, data, there = await ctx.tick().sample(
                port.cmd_valid, port.cmd_we, port.cmd_addr, port.wdata, port.wdata_valid
            )
            if do:
                write, place = self.queue.popleft()
                if write:
                    assert there, "a part to write is not there when it is asked for"
                    self.memory[place] = data
                else:
                    self.due.append((cycle + 4, self.memory.get(place, 0)))
            if ready and taken:
                self.queue.append((we, addr))


class Core:
    """The other end: what it asked for, and the words that it takes from a queue at its pace."""

    def __init__(self, seed, slow):
        self.rng, self.slow = random.Random(f"core {seed}"), slow
        self.queue, self.got, self.cycles = deque(), [], []

    async def play(self, ctx, end, over):
        cycle = 0
        ctx.set(end.read.ready, 1)
        while not over:
            cycle += 1
            ctx.set(end.level, len(self.queue))
            *_, valid, word = await ctx.tick().sample(end.read.valid, end.read.payload)
            if self.queue and self.rng.random() >= self.slow:
                self.got.append(self.queue.popleft())
            if valid:
                self.cycles.append(cycle)
                self.queue.append(word)
                assert len(self.queue) <= WORDS, "a word came that has no room"

    async def ask(self, ctx, end, addr, count, words=()):
        """Offer a request until it is taken, and the words that it writes."""
        ctx.set(end.request.payload, {"addr": addr, "count": count, "write": bool(words)})
        ctx.set(end.request.valid, 1)
        while not (await ctx.tick().sample(end.request.ready))[2]:
            pass
        ctx.set(end.request.valid, 0)
        for word in words:
            while self.rng.random() < self.slow:
                await ctx.tick()
            ctx.set(end.write.payload, word)
            ctx.set(end.write.valid, 1)
            while not (await ctx.tick().sample(end.write.ready))[2]:
                pass
            ctx.set(end.write.valid, 0)


def play(main, seed=0, *, width=16, busy=0.0, slow=0.0):
    """Run ``main(ctx, dut, core)`` against a controller; return the core's end."""
    dut, core, over = Native(BITS, width), Core(seed, slow), []
    controller = Controller(seed, busy)

    async def first(ctx):
        await main(ctx, dut, core)
        over.append(1)

    async def taking(ctx):
        await core.play(ctx, dut.memory, over)

    async def board(ctx):
        await controller.play(ctx, dut.port, width, over)

    run(dut, first, taking, board, cycles=60_000)
    return core


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize(
    ("busy", "slow"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.9), (0.4, 0.6)], ids=str
)
def test_words_come_back(width, busy, slow):
    rng, want, memory = random.Random(width), [], {}
    size = (1 << BITS) * width // 32

    async def main(ctx, dut, core):
        ctx.set(dut.enable, 1)
        for _ in range(50):
            addr, count = rng.choice([0, size - 20, 999]) + rng.randrange(20), rng.randrange(1, 60)
            places = [(addr + k) % size for k in range(count)]
            words = [rng.getrandbits(32) for _ in places] if rng.random() < 0.5 else []
            memory.update(zip(places, words, strict=False))
            if not words:
                want.extend(memory.get(place, 0) for place in places)
            await core.ask(ctx, dut.memory, addr, count, words)
        while len(core.got) < len(want):
            await ctx.tick()

    assert play(main, width=width, busy=busy, slow=slow).got == want


@pytest.mark.parametrize("width", [8, 16])
def test_a_command_a_cycle(width):
    async def main(ctx, dut, core):
        ctx.set(dut.enable, 1)
        await core.ask(ctx, dut.memory, 5, 200)
        while len(core.got) < 200:
            await ctx.tick()

    cycles = play(main, width=width).cycles
    assert cycles[-1] - cycles[0] == 199 * 32 // width


def test_nothing_before_the_set_up():
    async def main(ctx, dut, core):
        ctx.set(dut.memory.request.payload, {"addr": 3, "count": 2, "write": 0})
        ctx.set(dut.memory.request.valid, 1)
        for _ in range(30):
            *_, ready, command = await ctx.tick().sample(
                dut.memory.request.ready, dut.port.cmd_valid
            )
            assert not ready
            assert not command
        ctx.set(dut.enable, 1)
        while len(core.got) < 2:
            await ctx.tick()

    play(main)


@pytest.mark.parametrize(("busy", "slow"), [(0.0, 0.0), (0.5, 0.0), (0.3, 0.7)], ids=str)
@pytest.mark.parametrize("write", [False, True])
def test_drop(write, busy, slow):
    """After any time; then ``clean`` is high once nothing is under way, and whole words follow."""
    rng = random.Random(f"{write} {busy} {slow}")
    known = [rng.getrandbits(32) for _ in range(64)]

    async def main(ctx, dut, core):
        end = dut.memory
        ctx.set(dut.enable, 1)
        await core.ask(ctx, end, 0, 64, known)
        for wait in [*range(12), *(rng.randrange(100) for _ in range(12))]:
            if write:
                ctx.set(end.write.valid, 1)  # its payload is any
            ctx.set(end.request.payload, {"addr": 128, "count": 500, "write": write})
            ctx.set(end.request.valid, 1)
            while not (await ctx.tick().sample(end.request.ready))[2]:
                pass
            ctx.set(end.request.valid, 0)
            await ctx.tick().repeat(wait + 1)
            ctx.set(end.write.valid, 0)
            ctx.set(end.drop, 1)
            await ctx.tick()
            while not (await ctx.tick().sample(end.clean))[2]:
                pass
            came = len(core.got) + len(core.queue)
            for _ in range(40):
                *_, clean, waiting = await ctx.tick().sample(end.clean, dut.port.wdata_valid)
                assert clean
                assert not waiting
            assert came == len(core.got) + len(core.queue)
            ctx.set(end.drop, 0)
            while core.queue:
                await ctx.tick()
            core.got.clear()
            await core.ask(ctx, end, 7, 20)
            while len(core.got) < 20:
                await ctx.tick()
            assert core.got == known[7:27]
            core.got.clear()

    play(main, busy=busy, slow=slow)


def test_other_widths():
    for width in (32, 12):
        with pytest.raises(AssertionError):
            Native(BITS, width)
