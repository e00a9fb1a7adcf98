"""Column memory's constants: parameter tables and weights of all layers."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from hw.arch import formats
from hw.arch.isa import Pack
from hw.arch.outside import HALVES
from sw.compiler.plan.layout import ceil_div
from sw.compiler.plan.placement import Placement
from sw.network import Head, Mean, PixelConv


@dataclass(frozen=True, kw_only=True)
class Block:
    """What of a layer's constants lies outside, one block for each column tile."""

    addr: int  #: Outside, of the first.
    words: int  #: Of each bank: parameters, then weights.
    params: int  #: Those of them that are parameters.
    count: int  #: Column tiles.


class Constants:
    """Builds the image of column memory from address 0, and of the memory outside.

    Parameters
    ----------
    outside : names of layers whose constants lie outside; if there are any, column memory begins
        with the places of two blocks.

    Attributes
    ----------
    halves : int
        Words at the beginning of column memory that blocks come to.
    blocks : dict
        Layer name to `Block`, of those layers.
    own : dict
        Layer name to `Block` as it would be, of all layers that have parameters and weights.
    params, weights : dict
        Layer name (of means: the last of a run) to address.
    problems : list of str
        What does not fit its format.
    """

    def __init__(self, place: Placement, outside: Collection[str] = ()):
        self.place, self.config = place, place.config
        self.blocks: dict[str, Block] = {}
        self.own: dict[str, Block] = {}
        self.params: dict[str, int] = {}
        self.weights: dict[str, int] = {}
        self.problems: list[str] = []
        self.size = 0
        self._tiles: list[np.ndarray] = []
        self._names, self._outside = outside, [np.zeros(0, np.uint32)]
        self._layer: list[np.ndarray] = []  # of the layer in hand: parameters, weights
        self._count = 0  # its column tiles
        self.halves = HALVES * self.config.block_depth if outside else 0
        if outside:
            self.append(np.zeros((self.config.cols, self.halves, self.config.width // 8), np.uint8))

    @property
    def image(self) -> np.ndarray:
        """Column memory from address 0: uint8 (C, words, W / 8)."""
        return np.concatenate(self._tiles, axis=1)

    @property
    def outside(self) -> np.ndarray:
        """The memory outside from address 0: uint32."""
        return np.concatenate(self._outside)

    def layer(self, kind: Any, layer: Any) -> None:
        """Append what a layer needs, as its kind tells, or put it outside."""
        self._layer, self._count = [], 0
        size, tiles = self.size, len(self._tiles)
        kind.constants(self, layer)
        if not kind.outside or len(self._layer) != 2 or not self._count:
            return
        params, words = (made.shape[1] // self._count for made in self._layer)
        sizes = {"words": params + words, "params": params, "count": self._count}
        block = Block(addr=sum(map(len, self._outside)), **sizes)
        self.own[layer.name] = block
        if layer.name in self._names:
            self.blocks[layer.name] = block
            self.size = size
            del self._tiles[tiles:]
            self._outside.append(self._blocks())

    def _blocks(self) -> np.ndarray:
        """Blocks of the layer in hand as they lie outside: by tile, word, bank, 32-bit part."""
        cols, count = self.config.cols, self._count
        each = [made.reshape(cols, count, -1, made.shape[-1]) for made in self._layer]
        whole = np.concatenate(each, axis=2)  # (C, tiles, words, bytes)
        return np.ascontiguousarray(whole.transpose(1, 2, 0, 3)).view("<u4").ravel()

    def bias_only(self, layer: PixelConv | Head, slots: np.ndarray) -> None:
        """Tables of lanes that accumulate: a bias, and a factor that is not used."""
        self.params[layer.name] = self.parameters(
            self.lanes_of(layer.bias, slots), np.zeros((len(slots), 1, self.config.cols))
        )

    # ---- words -----------------------------------------------------------------------------

    def tile_channels(self, channels: int, tensor: str | None) -> np.ndarray:
        """Output channel of each lane of each column tile, -1 for none: (heads, tiles, C).

        ``tensor``: name of the spikes; those that attention reads have the tiles of each head by
        themselves.
        """
        cols = self.config.cols
        heads = self.place.heads.get(tensor, 1) if tensor is not None else 1
        width = channels // heads
        slots = np.full((heads, ceil_div(width, cols) * cols), -1)
        slots[:, :width] = np.arange(channels).reshape(heads, width)
        return slots.reshape(heads, -1, cols)

    def append(self, tiles: np.ndarray) -> int:
        """Append (C, words, W / 8) bytes to column memory; return the address."""
        base, self.size = self.size, self.size + tiles.shape[1]
        self._tiles.append(np.ascontiguousarray(tiles, np.uint8))
        self._layer.append(self._tiles[-1])
        return base

    def numbers(self, values: np.ndarray, bits: int) -> np.ndarray:
        """Words (C, words) that hold signed numbers, as bytes (C, words, W / 8)."""
        low = (np.asarray(values, np.int64) & ((1 << bits) - 1)).astype("<u4")
        out = np.zeros((*low.shape, self.config.width // 8), np.uint8)
        out[..., :4] = np.ascontiguousarray(low)[..., None].view(np.uint8)
        return out

    def parameters(self, bias: np.ndarray, factors: np.ndarray, mean: Mean | None = None) -> int:
        """Append parameter words: bias (tiles, C), factors (tiles, entries, C).

        ``mean``: one that is summed while the layer writes; its two words come first.
        """
        bias = self.numbers(bias, formats.BIAS_BITS)[:, None]  # (tiles, 1, C, bytes)
        factors = self.numbers(factors, formats.FACTOR_BITS)
        self._count = len(bias)
        both = np.concatenate([bias, factors], axis=1)  # (tiles, words, C, bytes)
        if mean is not None:
            first = np.full((len(both), self.config.cols), mean.bias)[:, None]
            second = np.full((len(both), self.config.cols), mean.factor)[:, None]
            both = np.concatenate(
                [
                    self.numbers(first, formats.BIAS_BITS),
                    self.numbers(second, formats.FACTOR_BITS),
                    both,
                ],
                axis=1,
            )
        return self.append(
            both.transpose(2, 0, 1, 3).reshape(self.config.cols, -1, self.config.width // 8)
        )

    @staticmethod
    def lanes_of(values: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """values[slot], 0 where the slot is -1."""
        values = np.asarray(values, np.int64)
        return np.where(slots >= 0, values[np.maximum(slots, 0)], 0)

    def binary_weights(self, weight: np.ndarray, source: str, slots: np.ndarray) -> int:
        """Append one-bit weights (O, I, kh, kw) of the lanes ``slots`` (tiles, C)."""
        words = self._weight_words(weight, source)
        tiles = np.where((slots >= 0)[..., None, None], words[np.maximum(slots, 0)], False)
        packed = np.packbits(tiles, axis=-1, bitorder="little")
        return self.append(
            packed.transpose(1, 0, 2, 3).reshape(self.config.cols, -1, packed.shape[-1])
        )

    def _weight_words(self, weight: np.ndarray, source_name: str) -> np.ndarray:
        """Weights in the order of the row words: bool (O, words, W)."""
        weight = np.asarray(weight, bool)
        o, _, kh, kw = weight.shape
        source = self.place.layouts[source_name]
        width, channels = self.config.width, weight.shape[1]
        taps = weight.transpose(0, 2, 3, 1)  # (O, kh, kw, I)
        if source.pack == Pack.NONE:
            position = np.arange(channels) if source.position is None else source.position
            out = np.zeros((o, kh, kw, source.words * width), bool)
            out[..., position] = taps
            return out.reshape(o, -1, width)
        n_dx, bits = (2, 8 * source.slot) if source.pack == Pack.PAIR else (1, 8 * source.slot)
        out = np.zeros((o, kh, n_dx, width), bool)
        if source.pack == Pack.TRIPLE:
            for x in range(3):
                out[:, :, 0, x * bits : x * bits + channels] = taps[:, :, x]
        else:
            out[:, :, 0, :channels] = taps[:, :, 0]
            out[:, :, 0, bits : bits + channels] = taps[:, :, 1]
            out[:, :, 1, bits : bits + channels] = taps[:, :, 2]
        return out.reshape(o, -1, width)

    def slots(self, count: int) -> np.ndarray:
        """Channel of each lane of each column tile, -1 for none: (tiles, C)."""
        cols = self.config.cols
        slots = np.arange(ceil_div(count, cols) * cols)
        return np.where(slots < count, slots, -1).reshape(-1, cols)

    def lane_weights(self, words: np.ndarray, slots: np.ndarray) -> int:
        """Append multi-bit weights (O, words), one word each."""
        tiles = np.where((slots >= 0)[..., None], words[np.maximum(slots, 0)], 0)
        data = self.numbers(tiles, formats.FACTOR_BITS)  # (tiles, C, words, bytes)
        return self.append(
            data.transpose(1, 0, 2, 3).reshape(self.config.cols, -1, self.config.width // 8)
        )
