"""The mover beside a memory that keeps to a contract: words, places, cycles, and visits."""

import random

import pytest

from hw.arch import Config
from hw.arch.memmap import Mem
from hw.arch.outside import Contract, Transfers
from hw.arch.schedule import block_free
from hw.core.mover import PATIENCE, Mover
from sim.pysim import run
from tests.unit.orders import Orders

SMALL = Config(rows=4, cols=8, width=32, block_depth=64)
WIDE = Config(rows=4, cols=8, width=128, block_depth=64)


class Memory:
    """What `sim/outside.sv` does, a cycle at a time; word n holds 7 n + 3 until it is written."""

    def __init__(self, contract):
        self.contract, self.left, self.written = contract, 0, {}
        self.requests = []

    def drive(self, ctx, port):
        self.ready = self.left > 0 and not self.writes and self.timer >= self.next
        ctx.set(port.request.ready, self.left == 0)
        ctx.set(port.read.valid, self.ready)
        ctx.set(port.write.ready, self.left > 0 and self.writes)
        if self.left:
            ctx.set(port.read.payload, self.written.get(self.at, 7 * self.at + 3))

    def step(self, ctx, port):
        asks = ctx.get(port.request.valid) and self.left == 0
        went = self.ready and ctx.get(port.read.ready)
        if self.left and self.writes and ctx.get(port.write.valid):
            self.written[self.at] = ctx.get(port.write.payload)
            went = True
        if self.left:
            self.timer += 1
        if went:
            self.at, self.left, self.next = (
                self.at + 1,
                self.left - 1,
                self.next + self.contract.period,
            )
        if asks:
            request = port.request.payload
            self.at, self.left, self.writes = (
                ctx.get(getattr(request, name)) for name in ("addr", "count", "write")
            )
            self.requests.append((self.at, self.left, self.writes))
            self.timer, self.next = 1, self.contract.latency
        if ctx.get(port.drop):
            self.left = 0


def play(config, contract, program, busy=frozenset(), budget=20_000):
    """Play orders and column tiles as a sequencer does; return their cycles, and the words.

    ``program``: ("order", outside address, words, blocks) and ("tile", cycles).
    """
    dut, memory = Mover(config), Memory(contract)
    orders, words = Orders(program), []

    async def bench(ctx):
        cycle = 0
        while orders.left:
            memory.drive(ctx, dut.port)
            ctx.set(dut.taken, cycle not in busy)
            orders.drive(ctx, dut, cycle)
            load = dut.load
            if ctx.get(load.valid) and cycle not in busy:
                assert ctx.get(load.mem) == Mem.COL
                names = ("word", "bank", "part", "data")
                words.append(tuple(ctx.get(getattr(load, name)) for name in names))
            memory.step(ctx, dut.port)
            await ctx.tick()
            cycle += 1

    run(dut, bench, cycles=budget)
    return orders.took, words


def forecast(config, contract, program, busy=frozenset()):
    transfers = Transfers(contract, block_free(config))
    transfers.busy(busy)
    at, out = 0, []
    for kind, *values in program:
        if kind == "order":
            _, words, blocks = values
            size = words * config.cols * config.width // 32
            out.append(transfers.order(at, size, blocks))
            at = out[-1] + 1
        else:
            out.append(max(at, transfers.block()))
            transfers.end(out[-1] + values[0])
            at = out[-1] + values[0] + 1
    return out


def expected(config, program):
    """Words as they come: (word, bank, part, data), the halves by turns."""
    out, turn, parts = [], 0, config.width // 32
    for _, addr, words, blocks in (event for event in program if event[0] == "order"):
        at = addr
        for _ in range(blocks):
            for word in range(words):
                for bank in range(config.cols):
                    for part in range(parts):
                        place = word + turn * config.block_depth
                        out.append((place, bank, part, (7 * at + 3) & 0xFFFFFFFF))
                        at += 1
            turn = 1 - turn
    return out


PROGRAM = [
    ("order", 100, 2, 3),
    ("order", 5000, 1, 2),
    *[("tile", n) for n in (60, 3, 40)],
    ("order", 7, 3, 1),
    *[("tile", n) for n in (2, 2, 30)],
]


@pytest.mark.parametrize("config", [SMALL, WIDE], ids=["32", "128"])
@pytest.mark.parametrize(("latency", "period"), [(1, 1), (9, 1), (4, 3)])
def test_blocks_come_where_and_when_they_are_forecast(config, latency, period):
    contract = Contract(latency=latency, period=period)
    cycles, words = play(config, contract, PROGRAM)
    assert words == expected(config, PROGRAM)
    assert cycles == forecast(config, contract, PROGRAM)


@pytest.mark.parametrize("seed", range(4))
def test_words_wait_for_cycles_in_which_the_core_writes_none(seed):
    """Cycles that are busy one by one, and long rows of them, longer than a word's period."""
    rng = random.Random(seed)
    busy = {n for n in range(4000) if rng.random() < 0.3}
    for _ in range(12):
        begin = rng.randrange(2000)
        busy |= set(range(begin, begin + rng.randrange(1, 40)))
    contract = Contract(latency=rng.randrange(1, 20), period=rng.randrange(1, 4))
    cycles, words = play(SMALL, contract, PROGRAM, frozenset(busy))
    assert words == expected(SMALL, PROGRAM)
    assert cycles == forecast(SMALL, contract, PROGRAM, frozenset(busy))
    assert cycles != forecast(SMALL, contract, PROGRAM)


def visited(visits, deaf=False):
    """Play visits (addr, data, write); return the words read, cycles taken, and the memory."""
    dut, memory = Mover(SMALL), Memory(Contract(latency=3, period=1))
    read, took = [], []

    async def bench(ctx):
        for addr, data, write in visits:
            ctx.set(dut.visit.valid, 1)
            for name, value in (("addr", addr), ("data", data), ("write", write)):
                ctx.set(getattr(dut.visit.payload, name), value)
            cycle = 0
            while not ctx.get(dut.visit.ready):
                if not deaf:
                    memory.drive(ctx, dut.port)
                    memory.step(ctx, dut.port)
                await ctx.tick()
                cycle += 1
            read.append(ctx.get(dut.word))
            took.append(cycle)
            await ctx.tick()

    run(dut, bench, cycles=3 * PATIENCE)
    return read, took, memory


def test_words_are_read_and_written_while_the_core_is_idle():
    visits = [(5, 0xDEADBEEF, 1), (5, 0, 0), (6, 0, 0), ((1 << 27) - 1, 1, 1), (5, 9, 1), (5, 0, 0)]
    read, took, memory = visited(visits)
    assert [read[n] for n in (1, 2, 5)] == [0xDEADBEEF, 7 * 6 + 3, 9]
    assert memory.written == {5: 9, (1 << 27) - 1: 1}
    assert memory.requests == [(addr, 1, write) for addr, _, write in visits]
    assert max(took) < 12


def test_a_memory_that_does_not_answer_is_given_up():
    read, took, _ = visited([(5, 0, 0)], deaf=True)
    assert read == [0xFFFFFFFF]
    assert PATIENCE <= took[0] <= PATIENCE + 8


def test_what_is_cleared_is_forgotten():
    """In the middle of a block; the next order's words go to the lower half again."""
    dut, memory = Mover(SMALL), Memory(Contract(latency=2, period=1))
    words, drops = [], []

    async def bench(ctx):
        ctx.set(dut.taken, 1)
        for cycle in range(400):
            memory.drive(ctx, dut.port)
            ctx.set(dut.order.valid, cycle in (1, 2, 60))
            ctx.set(dut.order.payload.addr, 1000 if cycle < 60 else 2000)
            ctx.set(dut.order.payload.words, 3)
            ctx.set(dut.order.payload.blocks, 1)
            ctx.set(dut.clear, cycle == 50)
            if ctx.get(dut.load.valid):
                words.append((cycle, ctx.get(dut.load.word), ctx.get(dut.load.data)))
            drops.append(ctx.get(dut.port.drop))
            memory.step(ctx, dut.port)
            await ctx.tick()
            if cycle == 51:
                assert not ctx.get(dut.load.valid)
                assert not ctx.get(dut.ready)
        assert ctx.get(dut.ready)

    run(dut, bench)
    assert [n for n, drop in enumerate(drops) if drop] == [50]
    late = [(word, data) for cycle, word, data in words if cycle > 50]
    assert late == [(n // 8, 7 * (2000 + n) + 3) for n in range(24)]
