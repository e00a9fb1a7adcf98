"""Binary attention maps: how alike the bits of two tokens, or of two channels, are."""

from dataclasses import dataclass

import numpy as np

from hw.arch import formats
from sw.network.checks import Ranges, Shapes
from sw.network.layers.base import Arithmetic, LaneLayer, Tensors, by_heads
from sw.network.values import Affine, Neuron


@dataclass(frozen=True, kw_only=True)
class AttentionMap(LaneLayer):
    """Binary attention map. order 'qk': left = q, right = k: S[n, m] = sim(q[n], k[m]) over the
    head's channels, spikes (T, B, H, N, N) [query, key]. order 'kv': left = k, right = v:
    S[i, j] = sum_n k[n, i] * v[n, j], spikes (T, B, H, d, d) [k channel, v channel].

    similarity 'and': count of common ones; 'xnor': count of equal bits (qk order only).
    ``affine`` arrays have shape (1,). Channel c = head * d + i.
    """

    left: str
    right: str
    heads: int
    order: str
    similarity: str
    affine: Affine
    neuron: Neuron

    def reads(self) -> tuple[str, ...]:
        return (self.left, self.right)

    def tokens(self) -> tuple[str, ...]:
        return (self.left, self.right)

    def shapes(self, ask: Shapes) -> None:
        channels, height, width = ask.of(self.left, 3)
        ask.want(self.right, ask.of(self.right, 3), (channels, height, width))
        ask.heads(channels, self.heads, self.order)
        if self.similarity not in ("and", "xnor") or (self.order, self.similarity) == (
            "kv",
            "xnor",
        ):
            ask.fail(f"similarity {self.similarity!r} does not exist in order {self.order}")
        side = height * width if self.order == "qk" else channels // self.heads
        ask.want("factor", self.affine.factor.shape, (1,))
        ask.want("bias", self.affine.bias.shape, (1,))
        ask.put(self.neuron.name, (self.heads, side, side))

    def largest_sum(self, ask: Shapes) -> int:
        channels, height, width = ask.shape[self.left]
        return channels // self.heads if self.order == "qk" else height * width

    def bounds(self, ask: Ranges) -> None:
        ask.tokens(self.left, self.heads)
        if self.similarity == "xnor":  # the array gives equal bits minus head width
            joined = self.affine.bias + self.affine.factor * (
                ask.shapes.shape[self.left][0] // self.heads
            )
            most = formats.BIAS_MAX
            ask.bound("bias with the head width in it (XNOR)", joined, -most, most)
        super().bounds(ask)

    def sums(self, run: Arithmetic, tensors: Tensors) -> np.ndarray:
        left = by_heads(tensors[self.left], self.heads)  # (T, B, H, d, N)
        right = by_heads(tensors[self.right], self.heads)
        if self.order == "qk":
            left, right = left.swapaxes(3, 4), right.swapaxes(3, 4)
        counts = run.row_counts(left, right, self.similarity == "xnor")
        return left.shape[4] - counts if self.similarity == "xnor" else counts
