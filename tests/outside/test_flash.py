# amaranth: UnusedElaboratable=no
"""The flash's gateware with a strict model of a flash: words, pauses, drops, set-up, rates."""

import itertools
import random
from dataclasses import replace

import pytest
from amaranth.hdl import Elaboratable, Module
from amaranth.lib.wiring import connect

from hw.core.mover import Mover
from hw.outside import nor
from hw.outside.flash import Flash
from hw.outside.nor import QUAD_OUTPUT
from sim.pysim import run
from tests.outside.norchip import KINDS, NorChip
from tests.unit.orders import Orders
from tests.unit.test_mover import SMALL, forecast

CLOCK = 2_000_000  #: Waits are short with it.
OFFSET = 0x1000
DATA = random.Random(0).randbytes(1 << 16)
WORDS = len(DATA) // 4


def word(addr):
    """Word of the core at an address, of a flash of DATA again and again."""
    at = (OFFSET + 4 * addr) % len(DATA)
    return int.from_bytes(DATA[at : at + 4], "little")


def gateware(**more):
    return Flash(clock=CLOCK, offset=OFFSET, **more)


def play(dut, chip, requests, *, stall=0.0, seed=0, cycles=100_000):
    """Ask for (addr, count) of reads, or (addr, count, "w"); return words, each with its cycle.

    Requests are offered one after the other, words taken with pauses.
    """
    port, got, taken, over = dut.port, [], [], []
    total = sum(count for _, count, *write in requests if not write)
    rng = random.Random(f"core {seed}")

    async def ask(ctx):
        for addr, count, *write in requests:
            ctx.set(port.request.payload, {"addr": addr, "count": count, "write": bool(write)})
            ctx.set(port.request.valid, 1)
            while not (await ctx.tick().sample(port.request.ready))[2]:
                pass
            ctx.set(port.request.valid, 0)
            taken.append(clock[0])
            left = count if write else 0
            ctx.set(port.write.valid, left > 0)
            while left:
                left -= (await ctx.tick().sample(port.write.ready))[2]
            ctx.set(port.write.valid, 0)

    clock = [0]

    async def count(ctx):
        while not over:
            await ctx.tick()
            clock[0] += 1

    async def take(ctx):
        while len(got) < total:
            ready = rng.random() >= stall
            ctx.set(port.read.ready, ready)
            *_, valid, payload = await ctx.tick().sample(port.read.valid, port.read.payload)
            if ready and valid:
                got.append((clock[0], payload))
        while len(taken) < len(requests):
            await ctx.tick()
        for _ in range(40):
            ctx.set(port.read.ready, 1)
            *_, valid = await ctx.tick().sample(port.read.valid)
            assert not valid, "a word that nobody asked for"
        over.append(True)

    run(dut, count, ask, take, chip.play(dut.pins, over), cycles=cycles)
    return got, taken


def values(got):
    return [value for _, value in got]


def wanted(requests):
    return [word(a + k) for a, n, *write in requests if not write for k in range(n)]


def traffic(seed, n=25, writes=False):
    rng, out, at = random.Random(seed), [], 0
    for _ in range(n):
        addr = at if rng.random() < 0.4 else rng.randrange(WORDS)
        count = rng.choice([1, 1, 2, 3, rng.randrange(1, 30)])
        write = ("w",) if writes and rng.random() < 0.3 else ()
        out.append((addr, count, *write))
        at = addr if write else addr + count
    return out


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("stall", [0.0, 0.5, 0.97], ids=str)
def test_words_come(stall, late):
    """Random requests, many of which go on where the last one ended; pauses; slow pins."""
    requests = traffic(f"{stall} {late}")
    chip = NorChip(DATA, CLOCK, late=late)
    got, _ = play(gateware(), chip, requests, stall=stall)
    assert values(got) == wanted(requests)
    assert not chip.broken
    assert len(chip.reads) < len(requests)


def test_a_clock_does_not_run_ahead():
    """Nothing is clocked out that nobody takes, but the words that are in hand."""
    chip = NorChip(DATA, CLOCK)
    requests = [(7, 20), (27, 3), (30, 1)]
    play(gateware(), chip, requests, stall=0.99)
    assert chip.served == 4 * 24
    assert chip.reads == [OFFSET + 4 * 7]


def test_words_come_as_the_contract_has_it():
    dut, chip = gateware(), NorChip(DATA, CLOCK)
    got, taken = play(dut, chip, [(100, 50), (150, 10), (400, 5)])
    times = [cycle for cycle, _ in got]
    assert {b - a for a, b in itertools.pairwise(times[:50])} == {dut.contract.period}
    assert [times[n] - cycle for n, cycle in zip((0, 50, 60), taken, strict=True)] == [
        dut.contract.latency
    ] * 3


def test_writes_are_taken_and_forgotten():
    requests = traffic("writes", writes=True)
    chip = NorChip(DATA, CLOCK)
    got, _ = play(gateware(), chip, requests)
    assert values(got) == wanted(requests)
    assert not chip.broken
    assert all(code[0] != 0x06 for code in chip.codes)


def test_beyond_the_end_comes_the_beginning():
    """Of a flash that the addresses of 24 bits reach; DATA is there again and again."""
    last = (1 << 24) // 4 - OFFSET // 4
    requests = [(last - 3, 6), (last + 5, 2), ((1 << 27) - 1, 2)]
    chip = NorChip(DATA, CLOCK)
    got, _ = play(gateware(), chip, requests)
    assert values(got) == wanted(requests)
    assert chip.reads == [(1 << 24) - 12, 20, OFFSET - 4]


@pytest.mark.parametrize("seed", range(4))
def test_drop(seed):
    """After any number of cycles; what comes then is what is asked for then."""
    rng, dut, chip, over = random.Random(seed), gateware(), NorChip(DATA, CLOCK), []
    port = dut.port

    async def core(ctx):
        ctx.set(port.request.valid, 0)
        for n in range(60):
            first, write = rng.randrange(WORDS), rng.random() < 0.2
            ctx.set(port.request.payload, {"addr": first, "count": 5, "write": write})
            ctx.set(port.request.valid, 1)
            left, k = rng.randrange(1, dut.contract.latency + 100), 0
            if seed == 0:
                left = n + 1  # all of the first cycles
            taken = last = False
            while not last:
                last = left <= 1 and (taken or n % 2 == 0)
                ctx.set(port.drop, last)
                ready = rng.random() < 0.7
                ctx.set(port.read.ready, ready)
                ctx.set(port.write.valid, write & taken)
                *_, asked, valid, value = await ctx.tick().sample(
                    port.request.ready, port.read.valid, port.read.payload
                )
                if asked and not taken:
                    taken = True
                    ctx.set(port.request.valid, 0)
                if ready and valid:
                    assert value == word(first + k)
                    k += 1
                left -= 1
            ctx.set(port.drop, 0)
            ctx.set(port.write.valid, 0)
            ctx.set(port.request.valid, 0)
            waited = 0
            assert not ctx.get(port.read.valid)
            second = rng.choice([first, first + k, rng.randrange(WORDS)])
            ctx.set(port.request.payload, {"addr": second, "count": 2, "write": 0})
            ctx.set(port.request.valid, 1)
            while not (await ctx.tick().sample(port.request.ready))[2]:
                waited += 1
                assert waited <= 1 or n == 0
            ctx.set(port.request.valid, 0)
            ctx.set(port.read.ready, 1)
            for k in range(2):
                valid = False
                while not valid:
                    *_, valid, value = await ctx.tick().sample(port.read.valid, port.read.payload)
                assert value == word(second + k)
            ctx.set(port.read.ready, 0)
        over.append(True)

    run(dut, core, chip.play(dut.pins, over), cycles=60_000)
    assert not chip.broken


@pytest.mark.parametrize("state", ["fresh", "down", "continuous"])
@pytest.mark.parametrize("lost", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_chip_is_woken_whatever_it_is_in(kind, lost, state):
    """Its quad-enable bit is set until power goes, where that can be, or was set for good."""
    chip = NorChip(
        DATA, CLOCK, kind=kind, quad=kind == "spansion", lost=lost,
        down=state == "down", continuous=state == "continuous",
    )  # fmt: skip
    got, _ = play(gateware(volatile_quad=kind in ("winbond", "issi")), chip, [(5, 3)])
    assert values(got) == wanted([(5, 3)])
    assert not chip.broken
    assert {0xAB, 0x66, 0x99} <= {code[0] for code in chip.codes}
    assert not chip.down


def wrong(dut, chip, requests=((5, 3), (900, 2))):
    """Whether a fault shows."""
    got, _ = play(dut, chip, list(requests))
    return values(got) != wanted(requests) or bool(chip.broken)


def test_the_model_tells_of_faults(monkeypatch):
    """Other dummy clocks, quad that is not enabled, a wake-up that is too short, a late word."""
    assert not wrong(gateware(), NorChip(DATA, CLOCK))
    for dummy in (7, 9):
        assert wrong(gateware(read=replace(QUAD_OUTPUT, dummy=dummy)), NorChip(DATA, CLOCK))
        assert wrong(gateware(), NorChip(DATA, CLOCK, dummy=dummy))
    assert wrong(gateware(), NorChip(DATA, CLOCK, kind="spansion"))
    assert wrong(gateware(), NorChip(DATA, CLOCK, kind="winbond"))
    assert wrong(gateware(), NorChip(DATA, CLOCK, late=2))
    monkeypatch.setattr(nor, "WAKE", 20_000)
    assert wrong(gateware(), NorChip(DATA, CLOCK))


def test_the_model_tells_when_it_is_selected_too_soon(monkeypatch):
    clock = 100_000_000
    monkeypatch.setattr(nor, "WAKE", 50_000)
    for deselected, good in ((100, True), (30, False)):
        monkeypatch.setattr(nor, "DESELECTED", deselected)
        dut, chip = Flash(clock=clock, offset=OFFSET), NorChip(DATA, clock)
        assert wrong(dut, chip) is not good


@pytest.mark.parametrize("offset", [2, -4, 1 << 24])
def test_an_offset_that_cannot_be(offset):
    with pytest.raises(AssertionError):
        Flash(clock=CLOCK, offset=offset)


class Both(Elaboratable):
    """A mover whose memory outside is a flash."""

    def __init__(self):
        self.mover, self.flash = Mover(SMALL), gateware()

    def elaborate(self, platform):
        m = Module()
        m.submodules.mover, m.submodules.flash = self.mover, self.flash
        connect(m, self.mover.port, self.flash.port)
        return m


def test_a_mover_brings_blocks_in_the_cycles_of_the_forecast():
    """Orders, column tiles and words of column memory, with a chip behind them."""
    dut, chip, over = Both(), NorChip(DATA, CLOCK), []
    mover, data = dut.mover, []
    program = [
        ("order", 100, 2, 3), ("tile", 40), ("tile", 900), ("order", 148, 3, 2), ("tile", 9),
        ("tile", 2000), ("tile", 5), ("order", 5000, 1, 1), ("tile", 30),
    ]  # fmt: skip
    orders = Orders(program)

    async def core(ctx):
        ctx.set(mover.taken, 1)
        for _ in range(1500):  # it wakes
            await ctx.tick()
        cycle = 0
        while orders.left:
            orders.drive(ctx, mover, cycle)
            if ctx.get(mover.load.valid):
                data.append(ctx.get(mover.load.data))
            await ctx.tick()
            cycle += 1
        over.append(True)

    run(dut, core, chip.play(dut.flash.pins, over), cycles=40_000)
    assert orders.took == forecast(SMALL, dut.flash.contract, program)
    size = SMALL.cols * SMALL.width // 32
    moves = [event[1:] for event in program if event[0] == "order"]
    assert data == [word(a + k) for a, n, blocks in moves for k in range(n * blocks * size)]
    assert not chip.broken
