"""Binary convolutions of spikes."""

import math
from dataclasses import dataclass

import numpy as np

from sw.network.checks import Shapes
from sw.network.layers.base import Arithmetic, LaneLayer, Tensors
from sw.network.values import Affine, Neuron, Residual, Shortcut


@dataclass(frozen=True, kw_only=True)
class BinaryLayer(LaneLayer):
    """Binary convolution (1x1 or 3x3, 'same' zero padding) on spikes.

    S = 2*popcount(s AND weight) - popcount(s), over all taps; ``weight`` (O, I, kh, kw) bool,
    True is +1. ``affine`` arrays (O,). Writes ``neuron``'s spikes, or a residual, or both (the
    neuron then reads y).

    Output sides are ceil(side / stride). With ``pool`` 2 the convolution (then of stride 1) reads
    counts of spikes in 2x2 windows, 0 to 4, side by side, what is left over dropped: the windows'
    averages are quarters of them, and ``affine`` holds the quarter.
    """

    source: str
    weight: np.ndarray
    affine: Affine
    residual: Residual | None = None  #: Without inputs where there is a shortcut.
    neuron: Neuron | None = None
    stride: int = 1  #: 1 or 2.
    pool: int = 1  #: 1 or 2.
    shortcut: Shortcut | None = None

    def reads(self) -> tuple[str, ...]:
        inputs = self.residual.inputs if self.residual is not None else ()
        shortcut = (self.shortcut.source,) if self.shortcut is not None else ()
        return (self.source, *inputs, *shortcut)

    def writes(self) -> tuple[str, ...]:
        stored = (self.residual.output,) if self.residual is not None else ()
        return (*stored, *((self.neuron.name,) if self.neuron is not None else ()))

    def shapes(self, ask: Shapes) -> None:
        source = ask.of(self.source, 3)
        out, _, kh, kw = self.weight.shape
        ask.want("weight", self.weight.shape, (out, source[0], kh, kw))
        if self.weight.dtype != np.bool_ or (kh, kw) not in ((1, 1), (3, 3)):
            ask.fail(f"weight must be bool and 1x1 or 3x3, not {self.weight.dtype} {kh}x{kw}")
        ask.want("factor", self.affine.factor.shape, (out,))
        ask.want("bias", self.affine.bias.shape, (out,))
        ask.choice("stride", self.stride, (1, 2))
        ask.choice("pool", self.pool, (1, 2))
        if self.pool * self.stride > 2:
            ask.fail("pools and strides at once")
        sides = tuple(-(-(n // self.pool) // self.stride) for n in source[1:])
        if min(sides) < 1:
            ask.fail(f"pools {source[1]}x{source[2]} spikes to nothing")
        shape = (out, *sides)
        if self.residual is None and self.neuron is None:
            ask.fail("has neither neuron nor residual")
        if self.shortcut is not None:
            if self.residual is not None and self.residual.inputs:
                ask.fail("adds a shortcut and a residual")
            name = self.shortcut.source
            ask.want(name, ask.of(name, 3), shape)
        if self.residual is not None:
            if len(self.residual.inputs) > 2:
                ask.fail(f"adds {len(self.residual.inputs)} residuals, at most 2")
            for name in self.residual.inputs:
                ask.want(name, ask.of(name, 3), shape)
        for name in self.writes():
            ask.put(name, shape)

    def largest_sum(self, ask: Shapes) -> int:
        return math.prod(self.weight.shape[1:]) * self.pool**2

    def sums(self, run: Arithmetic, tensors: Tensors) -> np.ndarray:
        source = tensors[self.source]
        if self.pool == 1:
            return run.binary_sums(source, self.weight, self.stride)
        first, *others = quarters(source)
        sums = run.binary_sums(first, self.weight, self.stride)
        for part in others:
            sums += run.binary_sums(part, self.weight, self.stride)
        return sums


def quarters(spikes: np.ndarray) -> tuple[np.ndarray, ...]:
    """The four places of all 2x2 windows, each (..., H // 2, W // 2); what is left over drops."""
    rows, columns = (side // 2 * 2 for side in spikes.shape[-2:])
    return tuple(spikes[..., i:rows:2, j:columns:2] for i in (0, 1) for j in (0, 1))
