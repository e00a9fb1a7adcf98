"""What every layer kind states: reads and writes, shapes, bounds and golden function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hw.common.show import Shown
from sw.network.checks import Ranges, Shapes
from sw.network.values import Affine, Neuron, Residual, Shortcut

IMAGE = "image"  #: Name of the frames among the tensors; uint8 (F, B, C, H, W).
Tensors = Mapping[str, np.ndarray]  #: Spikes and residuals (T, B, C, H, W), means (B, C).


class Arithmetic(Protocol):
    """What a golden function may ask of the model that runs it: the core's operations, exact."""

    def pixel_sums(
        self, frames: np.ndarray, weight: np.ndarray, padding: int, stride: int
    ) -> np.ndarray:
        """Sums of a multi-bit convolution: (F, B, I, H, W) int to int64 (F, B, O, Ho, Wo)."""
        ...

    def binary_sums(self, spikes: np.ndarray, weight: np.ndarray, stride: int) -> np.ndarray:
        """``2 * popcount(s AND w) - popcount(s)``: (T, B, C, H, W) to int32 (T, B, O, Ho, Wo)."""
        ...

    def row_counts(
        self, left: np.ndarray, right: np.ndarray, differing: bool = False
    ) -> np.ndarray:
        """Ones of ``l AND r`` (differing: ``l XOR r``) of rows: (..., N, K), (..., M, K) to
        int32 (..., N, M).
        """
        ...

    def lane(
        self,
        sums: np.ndarray,
        affine: Affine,
        tensors: Tensors,
        *,
        neuron: Neuron | None = None,
        residual: Residual | None = None,
        shortcut: Shortcut | None = None,
    ) -> dict[str, np.ndarray]:
        """Lane arithmetic (see `sw.network.values`) on sums (1 or T, B, O, ., .); affine arrays
        (O,), (1,) or (T, O). Returns what residual and neuron write.
        """
        ...

    def whole(self, tensor: np.ndarray) -> np.ndarray:
        """A tensor (T, B, C, H, W) over all steps of an image, also where images are steps."""
        ...


@dataclass(frozen=True, kw_only=True)
class Layer(Shown):
    """One layer kind; subclasses are dataclasses with the fields of the kind."""

    name: str

    #: The only kinds whose layers may stand last: their tensor is the logits.
    last = False

    def reads(self) -> tuple[str, ...]:
        """Names of the tensors that the layer reads."""
        raise NotImplementedError

    def spikes(self) -> str | None:
        """Name of the spike tensor that the layer writes."""
        return None

    def writes(self) -> tuple[str, ...]:
        """Names of the tensors that the layer writes."""
        spikes = self.spikes()
        return (self.name if spikes is None else spikes,)

    def tokens(self) -> tuple[str, ...]:
        """Names of tensors whose shape in a trace is (T, B, C, N), because of this layer."""
        return ()

    def shapes(self, ask: Shapes) -> None:
        """Check the layer's own shapes and ``put`` those of what it writes."""
        raise NotImplementedError

    def bounds(self, ask: Ranges) -> None:
        """Check the range of every number, and that no accumulator overflows."""
        raise NotImplementedError

    def golden(self, run: Arithmetic, tensors: Tensors) -> dict[str, np.ndarray]:
        """Tensors that the layer writes, exactly; (T, B, C, H, W), or (B, C) of means."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class LaneLayer(Layer):
    """A layer whose integer sums go through lanes: scale, bias, residual or shortcut, neuron.

    Subclasses have a field ``neuron`` and may have ``affine``, ``residual`` and ``shortcut``.
    """

    def spikes(self) -> str | None:
        neuron = neuron_of(self)
        return None if neuron is None else neuron.name

    def largest_sum(self, ask: Shapes) -> int:
        """Largest magnitude of S."""
        raise NotImplementedError

    def sums(self, run: Arithmetic, tensors: Tensors) -> np.ndarray:
        """The integer sums S, (1 or T, B, O, ., .)."""
        raise NotImplementedError

    def bounds(self, ask: Ranges) -> None:
        affine: Affine = getattr(self, "affine")  # noqa: B009  # a field of the subclasses
        largest = self.largest_sum(ask.shapes)
        ask.counts(largest)
        worst = np.abs(affine.factor) * largest
        ask.accumulator(int((worst + np.abs(affine.bias)).max()))

    def golden(self, run: Arithmetic, tensors: Tensors) -> dict[str, np.ndarray]:
        affine: Affine = getattr(self, "affine")  # noqa: B009
        return run.lane(
            self.sums(run, tensors),
            affine,
            tensors,
            neuron=neuron_of(self),
            residual=residual_of(self),
            shortcut=shortcut_of(self),
        )


def neuron_of(layer: Layer) -> Neuron | None:
    """The neuron of a layer that has one."""
    return getattr(layer, "neuron", None)


def residual_of(layer: Layer) -> Residual | None:
    """The residual of a layer that adds or stores one."""
    return getattr(layer, "residual", None)


def shortcut_of(layer: Layer) -> Shortcut | None:
    """The shortcut of a layer that adds one."""
    return getattr(layer, "shortcut", None)


def by_heads(spikes: np.ndarray, heads: int) -> np.ndarray:
    """(T, B, C, H, W) to (T, B, heads, d, N), channel c = head * d + i."""
    steps, count, channels = spikes.shape[:3]
    return spikes.reshape(steps, count, heads, channels // heads, -1)
