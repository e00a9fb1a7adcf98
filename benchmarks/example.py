"""Runs to look into: what the worked examples in ``docs/architecture`` are about.

``run("digits")`` compiles a shipped network for a core of default sizes and executes test images
of the digits with the instruction interpreter; ``small("kv")`` does so with a small random network
and a random image. What an instruction is, what its layer computed and what it wrote, where and in
which cycle, can then be asked for by the layer's name.
"""

import functools
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

import sw
from hw.arch import Config, isa, timing
from sim.interpreter import Events, interpret
from sim.interpreter.interpret import ColumnReads
from sw.api import IntegerNetwork
from sw.compiler import Program
from sw.data import load_digits
from sw.testing import random_images, random_network


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """One image, the last of ``images``, through one network on one core."""

    network: IntegerNetwork
    program: Program
    image: np.ndarray  #: uint8 (C, H, W).
    label: int  #: The image's true class; -1 for noise.
    spikes: dict[str, np.ndarray]  #: Of the golden model, by tensor, (T, C, H, W) and such.
    features: dict[str, np.ndarray]  #: Of the golden model: means and logits, (values,).
    logits: np.ndarray  #: int64 (classes,).
    events: Events
    cycles: int
    column_reads: tuple[ColumnReads, ...]  #: By instruction.
    first: bool  #: It is the first image since the program was loaded.

    def layer(self, name: str):
        """Return a layer of the integer network."""
        return next(layer for layer in self.network.layers if layer.name == name)

    def number(self, layer: str) -> int:
        """Return the place of a layer's instruction, not a TABLE, in the program."""
        return next(
            n
            for n, label in enumerate(self.program.labels)
            if label.layer == layer and label.op != isa.Op.TABLE.name
        )

    def raw(self, layer: str):
        """Return a layer's decoded instruction as ``hw.arch.timing`` takes it."""
        return self.program.instructions()[self.number(layer)]

    def instruction(self, layer: str) -> SimpleNamespace:
        """Return the fields of a layer's instruction, by name."""
        i = self.raw(layer)
        return SimpleNamespace(**{f.name: getattr(i, f.name) for f in isa.FIELDS})

    def start(self, layer: str) -> int:
        """Return the cycle in which a layer's instruction issues its first word or parameter."""
        config, code = self.program.config, self.program.instructions()
        before = code[timing.run_start(code, self.first) : self.number(layer)]
        return timing.START + sum(
            timing.issue_cycles(i) + timing.overhead(config, i) for i in before
        )

    def writes(self, memory: str, layer: str, **place: int) -> np.ndarray:
        """Return a layer's writes to row, col, res, pix or mem, in order of cycle.

        ``place``: step, head, token, channel, bank and such; only those writes.
        """
        found = getattr(self.events, memory)
        found = found[found["instruction"] == self.number(layer)]
        for name, value in place.items():
            found = found[found[name] == value]
        return found

    def words(self, memory: str, layer: str) -> dict[tuple[int, int], int]:
        """Return what a layer leaves in row or column memory: (bank, address) -> word."""
        out: dict[tuple[int, int], int] = {}
        for event in self.writes(memory, layer):
            place = int(event["bank"]), int(event["addr"])
            data = int.from_bytes(event["data"].tobytes(), "little")
            mask = sum(0xFF << 8 * n for n in range(16) if int(event["mask"]) >> n & 1)
            out[place] = out.get(place, 0) & ~mask | data & mask
        return out

    def column(self, bank: int, addr: int) -> int:
        """Return a word of column memory as the program's image has it."""
        return int.from_bytes(self.program.columns[bank, addr].astype("<u4").tobytes(), "little")


def _example(network: IntegerNetwork, program: Program, images: np.ndarray, label: int) -> Example:
    golden = network.run(images, trace=True)
    result = list(interpret(program, images))[-1]
    assert result.events is not None
    assert (result.logits == golden.logits[-1]).all()
    tensors = golden.trace or {}
    return Example(
        network=network,
        program=program,
        image=images[-1],
        label=label,
        spikes={name: value[:, -1] for name, value in tensors.items() if value.ndim > 2},
        features={name: value[-1] for name, value in tensors.items() if value.ndim == 2},
        logits=result.logits,
        events=result.events,
        cycles=result.cycles,
        column_reads=result.column_reads,
        first=len(images) == 1,
    )


@functools.cache
def run(name: str, images: int = 1, *, stream: bool = False, core: str = "") -> Example:
    """Run the first test images of the digits through a shipped network.

    ``stream``: each image is the next step of a stream, and membranes stay in memory. ``core``:
    what is other than in the default core, NAME=VALUE,...
    """
    data = load_digits()
    network = sw.load(name).lower(stream=stream) if stream else sw.load(name).lower()
    program = network.compile(Config().changed(core))
    label = int(data.test_labels[images - 1])
    return _example(network, program, data.test_images[:images], label)


@functools.cache
def small(order: str = "qk", similarity: str = "and") -> Example:
    """Run a random image through a small random network with attention in an order."""
    network = random_network(
        0,
        height=16,
        width=16,
        channels=1,
        dim=32,
        depth=1,
        heads=2,
        mlp_ratio=1,
        steps=2,
        order=order,
        similarity=similarity,
        variant="cifar",
        classes=4,
    )
    return _example(network, network.compile(Config()), random_images(network, 1), -1)
