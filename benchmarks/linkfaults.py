"""Loads of a network over a line with faults: ``python -m benchmarks.linkfaults``.

The device is the model of its endpoint (`sim.endpoint`), which a test holds to the gateware byte
for byte; its core computes what the interpreter does with the words that arrived. Each load opens a
session of its own, goes to the fastest rate, writes the program, compares all memories with it and
runs images, sending each while the one before is computed.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

import boards
from benchmarks.facts import table
from hw.arch import link
from hw.arch.memmap import Mem, Stopped, load_addr, split_addr
from hw.common.cli import command
from hw.common.errors import SpikeloomError
from sim.endpoint import Endpoint
from sim.interpreter import Machine
from sim.line import Faults, Line
from sw.api import load
from sw.compiler.program import Program
from sw.frontend.loader import DEFAULT
from sw.host.device import bursts
from sw.host.link import Link

ASKED = ((1e-3, 1000), (1e-2, 100))  #: Share of the bytes that are broken, and loads.
IMAGES = 3  #: Of each load.


class Computing:
    """A core (`sim.endpoint.Core`) that holds words, and knows what the images give.

    What a program gives for an image is computed once for each image.
    """

    pc = 0

    def __init__(self, program: Program, known: dict[bytes, tuple[list[int], int]]):
        self.program, self.known = program, known
        self.words: dict[int, int] = {}
        self.log: list[int] = []
        self.busy = self.done = False
        self.stopped, self.cycles, self.stalls = Stopped.NO, 0, 0
        stream = program.image_stream(np.zeros(program.input_count))
        self._image = stream[:, 0].tolist()  # where it lies

    def load(self, addr: int, word: int) -> None:
        """Take a word."""
        self.words[addr] = word

    def peek(self, addr: int) -> int:
        """Return a word."""
        return self.words.get(addr, 0) & 0xFFFF_FFFF

    def start(self, limit: int) -> None:
        """Begin a run."""
        self.busy, self.done = True, False

    def abort(self) -> None:
        """End it."""
        self.busy = False

    def run_on(self) -> None:
        """The run ends."""
        image = np.array([self.peek(addr) for addr in self._image])
        if (found := self.known.get(image.tobytes())) is None:
            machine = Machine(self.program)
            machine.load(np.stack([np.array(self._image), image], axis=1))
            machine.run(events=False)
            machine.load(np.stack([np.array(self._image), image], axis=1))
            run = machine.run(events=False)
            found = self.known[image.tobytes()] = run.logits.tolist(), run.cycles
        logits, self.cycles = found
        for n, logit in enumerate(logits):
            self.words[load_addr(Mem.PIX, self.program.logits_base + n)] = logit
        self.busy, self.done = False, True


@dataclass
class Count:
    """What became of the loads at one rate."""

    rate: float
    loads: int = 0
    bytes: int = 0  #: Both ways.
    faults: int = 0
    found: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Loads that were given up, or gave a wrong memory or answer."""
        return self.found["given up"] + self.found["wrong memory"] + self.found["wrong answer"]


def try_load(program: Program, images: np.ndarray, count: Count, seed: int, known: dict) -> None:
    """Load a program and run images, and enter into ``count`` what became of it."""
    core = Computing(program, known)
    there, back = Faults(count.rate, 2 * seed), Faults(count.rate, 2 * seed + 1)
    endpoint = Endpoint(program.config, core, clock=80_000_000)
    session = Link(Line(endpoint, there, back))
    count.loads += 1
    try:
        session.begin()
        session.negotiate()
        stream = program.load_stream()
        for addr, words in bursts(stream):
            session.write(addr, words)
        session.flush()
        want = dict(zip(*(column.tolist() for column in stream.T), strict=True))
        if core.words != want:
            count.found["wrong memory"] += 1
            return
        parts = [(a, w) for a, w in bursts(stream) if split_addr(a)[0] != Mem.CTRL]
        sums = [session.crc(addr, len(words)) for addr, words in parts]
        if sums != [link.crc32(words.astype("<u4").tobytes()) for _, words in parts]:
            count.found["wrong memory"] += 1
            return
        logits = load_addr(Mem.PIX, program.logits_base)
        sent = [list(bursts(program.image_stream(image))) for image in images]
        runs = session.runs(sent, logits, program.classes)
        for image, (state, words) in zip(images, runs, strict=True):
            right = known_answer(program, image, known)
            if not state.done or words.astype(np.int32).tolist() != right:
                count.found["wrong answer"] += 1
                return
        count.found["right"] += 1
    except SpikeloomError as error:
        count.found["given up"] += 1
        print(f"load {seed}: {error}", file=sys.stderr)
    finally:
        count.bytes += there.bytes + back.bytes
        count.faults += there.count + back.count


def known_answer(program: Program, image: np.ndarray, known: dict) -> list[int]:
    """Return the logits that the interpreter gives for an image."""
    core = Computing(program, known)
    for addr, word in program.image_stream(image).tolist():
        core.load(addr, word)
    core.run_on()
    return [core.words[load_addr(Mem.PIX, program.logits_base + n)] for n in range(program.classes)]


def measure(rate: float, loads: int, program: Program | None = None) -> Count:
    """Load a program, default the default network for the Arty, so many times."""
    if program is None:
        program = load(DEFAULT).lower().compile(boards.get("arty_a7").config)
    count, known = Count(rate), {}
    shape = (IMAGES, *program.input_shape)
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    for seed in range(loads):
        try_load(program, images, count, seed, known)
    return count


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table; 1 where a load failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.linkfaults", description=__doc__)
    parser.add_argument("--rate", type=float, help="share of the bytes that are broken")
    parser.add_argument("--loads", type=int, help="how many loads")
    args = parser.parse_args(argv)
    asked = [(args.rate, args.loads or 100)] if args.rate is not None else ASKED
    counts = [measure(rate, args.loads or loads) for rate, loads in asked]
    rows = [(f"{c.rate:g}", c.loads, c.failed, dict(c.found), c.bytes, c.faults) for c in counts]
    print("\n".join(table(("rate", "loads", "failed", "became", "bytes", "faults"), rows)))
    return int(any(count.failed for count in counts))


if __name__ == "__main__":
    sys.exit(main())
