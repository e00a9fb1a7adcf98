"""A link endpoint in a simulation, with a core that is memories and a counter."""

from amaranth.sim import Simulator

from hw.arch import Config, link, timing
from hw.arch.memmap import Stopped
from hw.soc.link import LinkEndpoint
from sim.pysim import PERIOD, send

CONFIG = Config(rows=4, cols=16, width=64)
CLOCK = 50_000_000
PC = 0x1234
STOPPING = 20  #: Cycles from abort until the core is idle.


class Memories:
    """A core (`sim.endpoint.Core`) of memories alone, and the record of what is done to it."""

    pc = PC

    def __init__(self, runs=0, log=()):
        self.words, self.events, self.log = {}, [], list(log)
        self.runs = runs  #: Cycles of a run.
        self.busy = self.done = False
        self.stopped, self.cycles, self.stalls = Stopped.NO, 0, 0

    def load(self, addr, word):
        assert not self.busy
        self.words[addr] = word
        self.events.append(("load", addr, word))

    def peek(self, addr):
        return self.words.get(addr, (addr * 0x9E3779B1) & 0xFFFFFFFF)

    def start(self, limit):
        self.events.append(("start", limit))
        self.busy, self.done, self.stopped, self.cycles = True, False, Stopped.NO, 0

    def abort(self):
        if self.busy:
            self.events.append(("abort",))
            self.busy, self.stopped = False, Stopped.ABORTED

    def run_on(self):
        self.busy, self.done, self.cycles = False, True, self.runs


def talk(steps, core, *, stall=0.0, tick_every=1 << 30, rates=link.RATES, most=60_000, rest=3000):
    """Play ``steps``; return what the endpoint answered.

    It is over when the line has been silent for ``rest`` cycles. A step is bytes to send, a number
    of cycles to let pass, or a callable, which gets the simulation's context and the endpoint.
    """
    dut, out = LinkEndpoint(CONFIG, clk_freq=CLOCK, rates=rates), bytearray()
    quiet = [0]  # cycles since the last byte came or went

    async def host(ctx):
        ctx.set(dut.sent, 1)
        for number, step in enumerate(steps):
            if isinstance(step, bytes | bytearray):
                await send(ctx, dut.i, step, stall, seed=number)
                quiet[0] = 0
            elif callable(step):
                step(ctx, dut)
            else:
                await ctx.tick().repeat(step)
        while quiet[0] < rest:
            await ctx.tick()

    async def line(ctx):
        ctx.set(dut.o.ready, 1)
        while True:
            _, _, valid, byte, took = await ctx.tick().sample(
                dut.o.valid, dut.o.payload, dut.i.valid
            )
            quiet[0] = 0 if valid or took else quiet[0] + 1
            if valid:
                out.append(byte)

    async def board(ctx):
        asked, left, stopping, cycle = [], 0, 0, 0
        while True:
            cycle += 1
            ctx.set(dut.tick, cycle % tick_every == 0)
            ctx.set(dut.busy, core.busy or stopping > 0)
            ctx.set(dut.done, core.done)
            ctx.set(dut.stopped, core.stopped.value)
            ctx.set(dut.pc, core.pc)
            ctx.set(dut.cycles, core.cycles)
            ctx.set(dut.log_count, len(core.log))
            (
                *_, start, limit, abort, load, load_addr, load_data, peek, peek_addr, log_addr
            ) = await ctx.tick().sample(
                dut.start, dut.limit, dut.abort, dut.load_valid, dut.load_addr, dut.load_data,
                dut.peek, dut.peek_addr, dut.log_addr,
            )  # fmt: skip
            if core.log:
                ctx.set(dut.log_data, core.log[log_addr] if log_addr < len(core.log) else 0)
            asked = [(when, addr) for when, addr in asked if when >= cycle]
            for when, addr in asked:
                if when == cycle:
                    ctx.set(dut.peek_data, core.peek(addr))
            if peek:
                assert not core.busy
                asked.append((cycle + timing.peek_cycles(CONFIG) - 1, peek_addr))
            if load:
                core.load(load_addr, load_data)
            left, stopping = max(0, left - 1), max(0, stopping - 1)
            if core.busy and left == 0:
                core.run_on()
            if abort and core.busy:
                core.abort()
                stopping = STOPPING
            if start:
                core.start(limit)
                left = core.runs

    async def watchdog(ctx):
        await ctx.delay(most * PERIOD)
        raise TimeoutError("the endpoint does not come to rest")

    sim = Simulator(dut)
    sim.add_clock(PERIOD)
    sim.add_testbench(host)
    sim.add_testbench(line, background=True)
    sim.add_testbench(board, background=True)
    sim.add_testbench(watchdog, background=True)
    sim.run()
    return bytes(out)


def frames(data):
    """Return (code, sequence, tag, payload) of each frame; None for a damaged one."""
    return [link.unframe(part) for part in data.split(bytes([link.END])) if part]
