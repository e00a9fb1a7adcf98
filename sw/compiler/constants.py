"""Column memory's constants: parameter tables and weights of all layers."""

import numpy as np

from hw.arch import formats
from hw.arch.config import Config
from hw.arch.isa import Pack
from sw.compiler.layout import ceil_div
from sw.compiler.placement import Placement
from sw.network import AttentionApply, AttentionMap, BinaryLayer, Head, Mean, PixelConv


class Constants:
    """Builds the image of column memory from address 0.

    Attributes
    ----------
    params, weights : dict
        Layer name (of means: the last of a run) to address.
    problems : list of str
        What does not fit its format.
    """

    def __init__(self, place: Placement, config: Config):
        self.place, self.config = place, config
        self.params: dict[str, int] = {}
        self.weights: dict[str, int] = {}
        self.problems: list[str] = []
        self.size = 0
        self._tiles: list[np.ndarray] = []
        for layer in place.net.layers:
            match layer:
                case PixelConv():
                    self._pixel(layer)
                case BinaryLayer():
                    self._binary(layer)
                case AttentionMap():
                    self._map(layer)
                case AttentionApply():
                    self._apply(layer)
                case Head():
                    self._head(layer)
        for run in place.residuals.mean_runs:
            self._means(run)

    @property
    def image(self) -> np.ndarray:
        """Column memory from address 0: uint8 (C, words, W / 8)."""
        return np.concatenate(self._tiles, axis=1)

    # ---- layers ----------------------------------------------------------------------------

    def _pixel(self, layer: PixelConv) -> None:
        slots = self._slots(len(layer.weight))
        self._bias_only(layer, slots)
        # words: tile, dy, dx, input channel
        words = np.asarray(layer.weight, np.int64).transpose(0, 2, 3, 1)
        self.weights[layer.name] = self._lane_weights(words.reshape(len(words), -1), slots)

    def _bias_only(self, layer: PixelConv | Head, slots: np.ndarray) -> None:
        """Tables of lanes that accumulate: a bias, and a factor that is not used."""
        self.params[layer.name] = self._parameters(
            self._lanes_of(layer.bias, slots), np.zeros((len(slots), 1, self.config.cols))
        )

    def _binary(self, layer: BinaryLayer) -> None:
        cols = self.config.cols
        slots = self.tile_channels(layer).reshape(-1, cols)
        factor = self._lanes_of(layer.affine.factor, slots)
        self.params[layer.name] = self._parameters(
            self._lanes_of(layer.affine.bias, slots), factor[:, None]
        )
        words = self._weight_words(layer)
        tiles = np.where((slots >= 0)[..., None, None], words[np.maximum(slots, 0)], False)
        packed = np.packbits(tiles, axis=-1, bitorder="little")
        self.weights[layer.name] = self._constant(
            packed.transpose(1, 0, 2, 3).reshape(cols, -1, packed.shape[-1])
        )

    def _map(self, layer: AttentionMap) -> None:
        cols = self.config.cols
        factor, bias = int(layer.affine.factor[0]), int(layer.affine.bias[0])
        if layer.similarity == "xnor":  # the array gives equal bits minus head width
            bias += factor * (self.place.shape[layer.left][0] // layer.heads)
        self.params[layer.name] = self._parameters(
            np.full((1, cols), bias), np.full((1, 1, cols), factor)
        )

    def _apply(self, layer: AttentionApply) -> None:
        cols = self.config.cols
        if (layer.affine.bias != layer.affine.bias[:1]).any():
            raise self.place.fail(layer.name, "bias must be the same at every step")
        self.params[layer.name] = self._parameters(
            np.repeat(layer.affine.bias[0][:, None], cols, axis=1),
            np.repeat(layer.affine.factor.T[:, :, None], cols, axis=2),
        )

    def _head(self, layer: Head) -> None:
        """Weights in the order of the features in pixel memory."""
        slots = self._slots(len(layer.weight))
        self._bias_only(layer, slots)
        residuals = self.place.residuals
        words = np.zeros((len(layer.weight), residuals.feature_count), np.int64)
        at = 0
        for source in layer.sources:
            place = self._feature_places(source)
            words[:, place] += np.asarray(layer.weight, np.int64)[:, at : at + len(place)]
            at += len(place)
        self.weights[layer.name] = self._lane_weights(words, slots)

    def _feature_places(self, name: str) -> np.ndarray:
        """Place of each number of a mean among the features."""
        residuals = self.place.residuals
        base, channels = residuals.features[name]
        mean = residuals.mean(name)
        if mean.over_tokens:
            return base + np.arange(channels)
        pitch = ceil_div(channels, self.config.cols) * self.config.cols
        _, h, w = self.place.shape[mean.source]
        tokens = np.array([residuals.token_index(mean.source, n) for n in range(h * w)])
        return base + (tokens * pitch + np.arange(channels)[:, None]).ravel()

    def _means(self, run: dict[int, Mean]) -> None:
        """Tables of a run of means, buffer A first; zeros where A's mean is not wanted."""
        bias = np.zeros((max(run) + 1, self.config.cols))
        factor = np.zeros((max(run) + 1, 1, self.config.cols))
        for buffer, layer in run.items():
            bias[buffer], factor[buffer] = layer.bias, layer.factor
        self.params[run[max(run)].name] = self._parameters(bias, factor)

    # ---- words -----------------------------------------------------------------------------

    def tile_channels(self, layer: BinaryLayer) -> np.ndarray:
        """Output channel of each lane of each column tile, -1 for none: (heads, tiles, C)."""
        cols, out = self.config.cols, len(layer.weight)
        heads = self.place.heads.get(layer.neuron.name, 1) if layer.neuron is not None else 1
        width = out // heads
        slots = np.full((heads, ceil_div(width, cols) * cols), -1)
        slots[:, :width] = np.arange(out).reshape(heads, width)
        return slots.reshape(heads, -1, cols)

    def _constant(self, tiles: np.ndarray) -> int:
        """Append (C, words, W / 8) bytes to column memory; return the address."""
        base, self.size = self.size, self.size + tiles.shape[1]
        self._tiles.append(np.ascontiguousarray(tiles, np.uint8))
        return base

    def _numbers(self, values: np.ndarray, bits: int) -> np.ndarray:
        """Words (C, words) that hold signed numbers, as bytes (C, words, W / 8)."""
        low = (np.asarray(values, np.int64) & ((1 << bits) - 1)).astype("<u4")
        out = np.zeros((*low.shape, self.config.width // 8), np.uint8)
        out[..., :4] = np.ascontiguousarray(low)[..., None].view(np.uint8)
        return out

    def _parameters(self, bias: np.ndarray, factors: np.ndarray) -> int:
        """Append parameter words: bias (tiles, C), factors (tiles, entries, C)."""
        bias = self._numbers(bias, formats.BIAS_BITS)[:, None]  # (tiles, 1, C, bytes)
        factors = self._numbers(factors, formats.FACTOR_BITS)
        both = np.concatenate([bias, factors], axis=1)  # (tiles, words, C, bytes)
        return self._constant(
            both.transpose(2, 0, 1, 3).reshape(self.config.cols, -1, self.config.width // 8)
        )

    @staticmethod
    def _lanes_of(values: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """values[slot], 0 where the slot is -1."""
        values = np.asarray(values, np.int64)
        return np.where(slots >= 0, values[np.maximum(slots, 0)], 0)

    def _weight_words(self, layer: BinaryLayer) -> np.ndarray:
        """Weights in the order of the row words: bool (O, words, W)."""
        weight = np.asarray(layer.weight, bool)
        o, _, kh, kw = weight.shape
        source = self.place.layouts[layer.source]
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

    def _slots(self, count: int) -> np.ndarray:
        """Channel of each lane of each column tile, -1 for none: (tiles, C)."""
        cols = self.config.cols
        slots = np.arange(ceil_div(count, cols) * cols)
        return np.where(slots < count, slots, -1).reshape(-1, cols)

    def _lane_weights(self, words: np.ndarray, slots: np.ndarray) -> int:
        """Append multi-bit weights (O, words), one word each."""
        tiles = np.where((slots >= 0)[..., None], words[np.maximum(slots, 0)], 0)
        data = self._numbers(tiles, formats.FACTOR_BITS)  # (tiles, C, words, bytes)
        return self._constant(
            data.transpose(1, 0, 2, 3).reshape(self.config.cols, -1, self.config.width // 8)
        )
