"""Devices at the end of a line, as byte transports, with faults to order."""

import dataclasses

import numpy as np

from hw.arch import Config
from hw.arch.isa import NI, Op, encode
from hw.arch.memmap import Mem, Stopped, load_addr
from sim.endpoint import Endpoint
from sim.interpreter import Machine
from sim.line import Line
from sw.compiler.program import VERSION, Forecast, Program

CLOCK = 50_000_000


class VirtualDevice(Line):
    """A device at the end of a line; memories are one dictionary by load address.

    ``answer`` turns the memory into new pixel words when the core is started; the core is then
    busy for ``polls`` times that nothing comes. ``there`` and ``back`` may change the bytes of each
    write, and what it is answered.
    """

    busy = done = False
    stopped = Stopped.NO
    pc = 0

    def __init__(
        self, config=None, *, answer=lambda memory: {}, polls=1, there=bytes, back=bytes, **facts
    ):
        self.config, self.answer, self.polls = config or Config(), answer, polls
        self.memory: dict[int, int] = {}
        self.log: list[int] = []
        self.starts = self.limit = 0
        self.cycles = 1234  #: Of a run.
        self.stalls = 0
        super().__init__(Endpoint(self.config, self, clock=CLOCK, **facts), there, back)

    @property
    def commands(self):
        """Codes of the requests that were granted."""
        return self.endpoint.commands

    def load(self, addr, word):
        self.memory[addr] = word

    def peek(self, addr):
        return self.memory.get(addr, 0) & 0xFFFFFFFF

    def start(self, limit):
        self.starts += 1
        self.busy, self.done, self.stopped, self.limit = True, False, Stopped.NO, limit
        self.left = self.polls
        self.memory.update(self.answer(self.memory))
        if not self.polls:
            self.run_on()

    def run_on(self):
        self.left -= 1
        self.busy = self.left > 0
        self.done = not self.busy

    def abort(self):
        if self.busy:
            self.busy, self.stopped = False, Stopped.ABORTED


class Core(VirtualDevice):
    """A device that does what the program in its memories says, by the interpreter.

    ``shape`` is a program whose addresses are taken; what is run is what the memories hold.
    """

    def __init__(self, shape, **options):
        super().__init__(shape.config, answer=self.compute, **options)
        self.shape = shape
        self.machine = None

    def flip(self, word, bit):
        """Change one bit of program memory."""
        self.memory[load_addr(Mem.PROG, word)] ^= 1 << bit
        self.machine = None

    def load(self, addr, word):
        if addr >> 27 != Mem[self.shape.image_memory.upper()]:
            self.machine = None
        super().load(addr, word)

    def compute(self, memory):
        p = self.shape
        if self.machine is None:
            words = [memory[load_addr(Mem.PROG, a)] for a in range(len(p.words))]
            columns = p.columns.copy()
            for (bank, addr, part), _ in np.ndenumerate(columns):
                at = addr | part << 16 | bank << 20 | int(Mem.COL) << 27
                columns[bank, addr, part] = memory[at]
            held = dataclasses.replace(p, words=np.array(words, np.uint32), columns=columns)
            self.machine = Machine(held)
        stream = p.image_stream(np.zeros(p.input_count))  # whose addresses are the image's
        self.machine.load(np.array([(a, memory[a]) for a in stream[:, 0].tolist()]))
        run = self.machine.run(events=False)
        self.cycles = run.cycles
        return {load_addr(Mem.PIX, p.logits_base + k): v for k, v in enumerate(run.logits.tolist())}


CONFIG = Config(rows=8, cols=16, width=64)


HALT = np.array(encode(Op.HALT), np.uint32)
LOGITS = [5, -7, 131071, -131072, 0, 1, 2, 3, 4, 9]


def program(config=CONFIG, **changes):
    rng = np.random.default_rng(0)
    fields = {
        "name": "small",
        "config": config,
        "digest": config.digest,
        "version": VERSION,
        "words": np.concatenate([HALT, rng.integers(0, 1 << 32, 150 - NI, np.uint32)]),
        "columns": rng.integers(0, 1 << 32, (config.cols, 70, config.width // 32), np.uint32),
        "steps": 4,
        "input_shape": (1, 16, 16),
        "image_memory": "pix",
        "image_base": 100,
        "logits_base": 40,
        "classes": len(LOGITS),
        "logits_scale": 0.5,
        "labels": (),
        "regions": (),
        "ops": (),
        "forecast": (Forecast(layer="all", op="GEMM", cycles=1234),),
    }
    return Program(**{**fields, **changes})


def logits(memory):
    return {load_addr(Mem.PIX, 40 + k): v for k, v in enumerate(LOGITS)}


def image():
    return np.random.default_rng(1).integers(0, 256, (1, 16, 16)).astype(np.uint8)
