"""Random layers one by one, each scaled on what the layers before give on random images."""

from typing import Any

import numpy as np

from hw.arch import isa
from hw.arch.formats import FACTOR_BITS, FACTOR_MAX, MEMBRANE_MAX, PRODUCT_BITS, SHIFTS
from sw.api import IntegerNetwork
from sw.golden.execute import Executor
from sw.lower.quantise import counts
from sw.network import (
    Affine,
    AttentionApply,
    AttentionMap,
    BinaryLayer,
    Head,
    Mean,
    Neuron,
    PixelConv,
    Residual,
    Shortcut,
    State,
    pixel_reach,
)

SAMPLES = 3  #: Random images on which scales are set.


def random_images(network: IntegerNetwork, count: int, seed: int = 0) -> np.ndarray:
    """Random uint8 images of the shape ``network`` reads: noise, with corners of 0 and 255."""
    rng = np.random.default_rng(seed)
    steps = (network.steps,) if network.per_step_input else ()
    shape = (count, *steps, network.channels, network.height, network.width)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    images[rng.random(shape) < 0.1] = 255
    images[rng.random(shape) < 0.2] = 0
    return images


class Maker:
    """Appends random layers, keeping the tensors they give on sample images.

    ``wide``: draw pixels' formats and thresholds over the whole range of their instruction fields.
    """

    def __init__(
        self, seed: int, steps: int, frac_bits: int, *, stream: bool = False, wide: bool = False
    ):
        self.wide = wide
        self.rng = np.random.default_rng([seed, 1])
        self.steps, self.frac_bits = steps, frac_bits
        self.one = 1 << frac_bits
        if wide:  # thresholds up to the largest there is, each power of two as likely
            self.one = (
                int(2 ** self.rng.uniform(6, 17))
                if self.rng.random() < 0.8
                else (int(self.rng.integers(1 << 16, MEMBRANE_MAX + 1)))
            )
        self.state: State | None = None  # of the neurons that are made
        self.executor = Executor((), SAMPLES if stream else steps, "plain", stream=stream)
        self.env: dict[str, np.ndarray] = {}
        self.layers: list = []

    def network(self, seed: int, **shape: Any) -> IntegerNetwork:
        """The network of all layers so far, named by its seed.

        ``shape``: its steps, sides, channels, classes and schedule, as `IntegerNetwork` has them.
        """
        return IntegerNetwork(
            name=f"random{seed}",
            frac_bits=self.frac_bits,
            layers=tuple(self.layers),
            meta={"seed": seed},
            **shape,
        )

    def add(self, layer, name: str) -> str:
        self.env.update(self.executor.step(layer, self.env))
        self.layers.append(layer)
        return name

    def neuron(self, name: str | None) -> Neuron | None:
        return None if name is None else Neuron(name=name, theta=self.one, state=self.state)

    def affine(self, sums: np.ndarray, shape: tuple[int, ...], axis: int) -> Affine:
        """Scales that spread x around the threshold; sums (T, B, O, ...)."""
        rng = self.rng
        across = tuple(i for i in range(sums.ndim) if i != axis)
        spread = np.maximum(sums.std(axis=across), 0.5)
        centre = sums.mean(axis=across)
        gain = rng.uniform(0.6, 1.6, shape) * rng.choice([-1, 1], shape) * self.one / spread
        kind = rng.random(shape)
        gain = np.where(kind < 0.03, 0, np.where(kind > 0.97, gain * 20, gain))
        level = rng.uniform(-0.3, 1.3, shape) * self.one
        fits = (s for s in SHIFTS if np.abs(np.rint(gain * (1 << s))).max() <= FACTOR_MAX)
        shift = max(fits, default=min(SHIFTS))
        factor = np.rint(gain * (1 << shift)).astype(np.int64)
        factor = np.clip(factor, -FACTOR_MAX, FACTOR_MAX)
        bias = np.rint(level * (1 << shift) - factor * centre).astype(np.int64)
        limit = 1 << 30
        return Affine(
            factor=factor, bias=np.clip(bias, -limit, limit) + (1 << (shift - 1)), shift=shift
        )

    def pixel(
        self, name: str, channels: int, out: int, neuron: str, side: int = 3, stride: int = 1
    ) -> str:
        rng = self.rng
        taps = channels * side**2
        widest = max(8, min(16, 22 - taps.bit_length()))
        bits, pixel_shift = int(rng.integers(8, widest + 1)), int(rng.integers(0, 5))
        shape = (out, channels, side, side)
        room = max(0, 14 - bits)  # keeps sums well inside the accumulator
        centre: tuple[int, ...] = ()
        if self.wide:
            pixel_shift, centre, bits, room = self._wide_pixels(channels, taps)
        mantissa = rng.integers(-(1 << (bits - 1)) + 1, 1 << (bits - 1), shape)
        weight = mantissa << rng.integers(0, room + 1, (out, 1, 1, 1))
        if not self.wide:
            centre = tuple(rng.integers(0, 255 << pixel_shift, channels).tolist())
        fields = {
            "name": name,
            "weight": weight,
            "weight_bits": bits,
            "pixel_shift": pixel_shift,
            "centre": centre,
            "padding": side // 2,
            "stride": stride,
        }
        blank = PixelConv(
            **fields,
            bias=np.zeros(out, dtype=np.int64),
            shift=SHIFTS[0],
            neuron=Neuron(name=neuron, theta=1),
        )
        sums = blank.sums(self.executor, self.env)
        # no factor here: choose the shift that brings the spread nearest to the threshold
        typical = max(float(np.median(sums.std(axis=(0, 1, 3, 4)))), 1.0)
        shift = min(SHIFTS, key=lambda s: abs(np.log2(typical / (1 << s) / self.one)))
        size = (0.7 if self.state is None else 1.2) * typical
        theta = int(np.clip(size / (1 << shift), 1, MEMBRANE_MAX if self.wide else 1 << 16))
        level = rng.uniform(-0.5, 1.5, out) * theta * (1 << shift)
        bias = np.rint(level - sums.mean(axis=(0, 1, 3, 4))).astype(np.int64)
        layer = PixelConv(
            **fields,
            bias=np.clip(bias, -(1 << 30), 1 << 30) + (1 << (shift - 1)),
            shift=shift,
            neuron=Neuron(name=neuron, theta=theta, state=self.state),
        )
        return self.add(layer, neuron)

    def _wide_pixels(self, channels: int, taps: int) -> tuple[int, tuple[int, ...], int, int]:
        """Pixel shift, centres, bits of a mantissa and its largest exponent."""
        rng, field = self.rng, isa.BY_NAME["centre0"]
        pixel_shift = int(rng.integers(0, isa.BY_NAME["pix_shift"].most + 1))
        kind = rng.random()
        if kind < 0.4:  # of images, as lowering makes them
            drawn = rng.integers(0, (255 << pixel_shift) + 1, isa.CENTRES)
        else:
            drawn = rng.integers(field.least, field.most + 1, isa.CENTRES)
        end = rng.choice([field.least, field.most])
        drawn = np.where(rng.random(isa.CENTRES) < 0.1, end, drawn)
        centre = tuple(int(drawn[k % isa.CENTRES]) for k in range(channels))
        reach = int(pixel_reach(pixel_shift, centre).max())
        top = PRODUCT_BITS - 3 - reach.bit_length() - taps.bit_length()  # of a weight's bits
        bits = int(rng.integers(2, min(FACTOR_BITS, top) + 1))
        return pixel_shift, centre, bits, max(0, min(FACTOR_BITS, top) - bits)

    def binary(
        self,
        name: str,
        source: str,
        out: int,
        side: int,
        neuron: str | None,
        residual: Residual | None = None,
        *,
        stride: int = 1,
        pool: int = 1,
        shortcut: str | None = None,
    ) -> str:
        """Adds the layer; gives ``neuron``, or "" where there is none.

        Spikes of ``shortcut`` add a random value.
        """
        weight = self.rng.random((out, self.env[source].shape[2], side, side)) < 0.5
        fields: dict = {"name": name, "source": source, "weight": weight}
        fields |= {"stride": stride, "pool": pool}
        nothing = Affine(
            factor=np.zeros(out, dtype=np.int64), bias=np.zeros(out, dtype=np.int64), shift=4
        )
        sums = BinaryLayer(**fields, affine=nothing).sums(self.executor, self.env)
        affine = self.affine(sums, (out,), 2)
        if shortcut:
            fields["shortcut"] = Shortcut(source=shortcut, value=self._value())
        layer = BinaryLayer(**fields, affine=affine, residual=residual, neuron=self.neuron(neuron))
        return self.add(layer, neuron or "")

    def _value(self) -> int:
        """What a shortcut's spike adds: about the threshold; now and then 0 or the largest."""
        kind = self.rng.random()
        if kind < 0.2:
            return int(self.rng.choice([0, MEMBRANE_MAX, -MEMBRANE_MAX]))
        value = self.one * self.rng.uniform(0.3, 1.5) * (-1 if kind < 0.4 else 1)
        return int(np.clip(value, -MEMBRANE_MAX, MEMBRANE_MAX))

    def map(
        self, attn: str, left: str, right: str, heads: int, order: str, similarity: str
    ) -> None:
        _, _, width, h, w = self.env[left].shape
        largest = width // heads if order == "qk" else h * w
        theta = 1.0 if similarity == "and" else width / heads / 2 + 1
        affine, level = counts(attn, largest, theta, strict=False)
        fields = {
            "name": f"{attn}.map",
            "left": left,
            "right": right,
            "heads": heads,
            "order": order,
            "similarity": similarity,
            "affine": affine,
        }
        layer = AttentionMap(
            **fields, neuron=Neuron(name=f"{attn}.attn_lif0", theta=level, soft=True)
        )
        fired = self.executor.step(layer, self.env)[layer.neuron.name].mean()
        if not 0.03 < fired < 0.5:  # tiny heads and grids: a threshold amid the counts met
            x = layer.sums(self.executor, self.env) * int(affine.factor[0]) >> affine.shift
            level = max(1, int(np.quantile(x, 0.8) * self.rng.uniform(0.3, 0.7)))
            layer = AttentionMap(
                **fields, neuron=Neuron(name=f"{attn}.attn_lif0", theta=level, soft=True)
            )
        self.add(layer, layer.name)

    def apply(self, attn: str, operand: str, heads: int, order: str) -> str:
        rng, shape = self.rng, (self.steps, heads)
        nothing = Affine(
            factor=np.zeros(shape, dtype=np.int64), bias=np.zeros(shape, dtype=np.int64), shift=4
        )
        fields = {
            "name": f"{attn}.apply",
            "map": f"{attn}.attn_lif0",
            "source": operand,
            "heads": heads,
            "order": order,
        }
        neuron = Neuron(name=f"{attn}.attn_lif", theta=self.one >> 1)
        blank = AttentionApply(**fields, affine=nothing, neuron=neuron)
        sums = blank.sums(self.executor, self.env)  # (T, B, H, d, N)
        typical = float(sums[sums > 0].mean()) if sums.any() else 0.5
        gain = rng.uniform(0.8, 2.4, shape) * self.one / typical
        kind = rng.random(shape)
        gain = np.where(kind < 0.1, 0, np.where(kind < 0.2, -gain, gain))
        shift = 7
        bias = np.full(shape, 1 << (shift - 1), dtype=np.int64)
        factor = np.clip(np.rint(gain * (1 << shift)), -FACTOR_MAX, FACTOR_MAX).astype(np.int64)
        affine = Affine(factor=factor, bias=bias, shift=shift)
        layer = AttentionApply(**fields, affine=affine, neuron=neuron)
        return self.add(layer, neuron.name)

    def heads(self, older: str, newer: str, classes: int) -> None:
        rng = self.rng
        _, _, dim, h, w = self.env[newer].shape
        factor = max(1, round((1 << 14) / (self.steps * h * w)))
        for name, source in (("head.mean", older), ("head2.mean", newer)):
            layer = Mean(name=name, source=source, factor=factor, bias=1 << 13, shift=14)
            self.add(layer, name)
        bits = int(rng.integers(6, 12))
        limit = min((1 << (bits - 1)) - 1, (1 << 13) // dim)
        weight = rng.integers(-limit, limit + 1, (classes, 2 * dim))
        layer = Head(
            name="logits",
            sources=("head.mean", "head2.mean"),
            weight=weight,
            bias=rng.integers(-(1 << 20), 1 << 20, classes),
            shift=14,
            weight_bits=bits,
            scale=1.0,
        )
        self.add(layer, layer.name)
