"""Small random integer networks whose neurons do fire: food for compiler and bench tests."""

import numpy as np

from hw.arch.formats import FACTOR_MAX, SHIFTS
from sw.golden.execute import IMAGE, Executor
from sw.lower.quantise import counts
from sw.network import (
    Affine,
    AttentionApply,
    AttentionMap,
    BinaryLayer,
    Head,
    IntegerNetwork,
    Mean,
    Neuron,
    PixelConv,
    Residual,
    SpikePool,
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


def random_network(
    seed: int,
    *,
    height: int,
    width: int,
    channels: int,
    dim: int,
    depth: int,
    heads: int,
    mlp_ratio: int,
    steps: int,
    order: str,
    similarity: str,
    variant: str,
    classes: int,
    per_step_input: bool = False,
) -> IntegerNetwork:
    """Random network in the layer order of lowering, scaled on random images to fire.

    Every size may be small and odd; ``dim`` is a multiple of 8 and of ``heads``. Includes
    negative, zero and very large scales, and lambdas that are negative or zero. The same
    arguments give the same network.

    Parameters
    ----------
    order : 'qk' or 'kv'.
    similarity : 'and' or 'xnor' ('qk' only).
    variant : tokenizer, 'cifar' or 'imagenet'.
    """
    maker = _Maker(seed, steps, frac_bits=int(np.random.default_rng(seed).integers(8, 13)))
    shape = (steps if per_step_input else 1, SAMPLES, channels, height, width)
    maker.env[IMAGE] = maker.rng.integers(0, 256, shape, dtype=np.uint8)
    stems = [f"patch_embed.block{i}" for i in range(5)]
    pooled = (3, 4)
    if variant == "imagenet":
        stems = ["patch_embed.proj", *(f"patch_embed.proj{i}" for i in range(1, 5))]
        pooled = (1, 2, 3, 4)
    widths = (dim // 8, dim // 4, dim // 2, dim, dim)

    source = maker.pixel(f"{stems[0]}_conv", channels, widths[0], f"{stems[1]}_lif")
    for i in range(1, 5):
        if i in pooled:
            pool = SpikePool(name=f"{stems[i]}_pool", source=source)
            source = maker.add(pool, pool.name)
        name = f"{stems[i]}_conv"
        if i < 4:
            source = maker.binary(name, source, widths[i], 3, f"{stems[i + 1]}_lif")
    older, newer = "", f"{stems[4]}_bn"
    residual = Residual(output=newer)
    source = maker.binary(f"{stems[4]}_conv", source, dim, 3, "block.0.attn.proj_lif", residual)
    for n in range(depth):
        attn, mlp = f"block.{n}.attn", f"block.{n}.mlp"
        q, k, v = (
            maker.binary(f"{attn}.{c}_conv", source, dim, 1, f"{attn}.{c}_lif") for c in "qkv"
        )
        left, right, operand = (q, k, v) if order == "qk" else (k, v, q)
        maker.map(attn, left, right, heads, order, similarity)
        o = maker.apply(attn, operand, heads, order)
        inputs = (older, newer) if older else (newer,)
        residual = Residual(output=f"block.{n}.x2", inputs=inputs)
        s = maker.binary(f"{attn}.proj_conv", o, dim, 1, f"{mlp}.mlp1_lif", residual)
        s = maker.binary(f"{mlp}.mlp1_conv", s, dim * mlp_ratio, 1, f"{mlp}.mlp2_lif")
        residual = Residual(output=f"block.{n}.x3", inputs=(newer, f"block.{n}.x2"))
        last = n == depth - 1
        following = None if last else f"block.{n + 1}.attn.proj_lif"
        source = maker.binary(f"{mlp}.mlp2_conv", s, dim, 1, following, residual)
        older, newer = f"block.{n}.x2", f"block.{n}.x3"
    maker.heads(older, newer, classes)
    return IntegerNetwork(
        name=f"random{seed}",
        steps=steps,
        channels=channels,
        height=height,
        width=width,
        classes=classes,
        frac_bits=maker.frac_bits,
        layers=tuple(maker.layers),
        per_step_input=per_step_input,
        meta={"seed": seed},
    )


class _Maker:
    """Appends random layers, keeping the tensors they give on sample images."""

    def __init__(self, seed: int, steps: int, frac_bits: int):
        self.rng = np.random.default_rng([seed, 1])
        self.steps, self.frac_bits = steps, frac_bits
        self.one = 1 << frac_bits
        self.executor = Executor((), steps, "plain")
        self.env: dict[str, np.ndarray] = {}
        self.layers: list = []

    def add(self, layer, name: str) -> str:
        self.env.update(self.executor.step(layer, self.env))
        self.layers.append(layer)
        return name

    def neuron(self, name: str | None) -> Neuron | None:
        return None if name is None else Neuron(name=name, theta=self.one)

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
        for shift in sorted(SHIFTS, reverse=True):
            factor = np.rint(gain * (1 << shift)).astype(np.int64)
            if np.abs(factor).max() <= FACTOR_MAX:
                break
        factor = np.clip(factor, -FACTOR_MAX, FACTOR_MAX)
        bias = np.rint(level * (1 << shift) - factor * centre).astype(np.int64)
        limit = 1 << 30
        return Affine(
            factor=factor, bias=np.clip(bias, -limit, limit) + (1 << (shift - 1)), shift=shift
        )

    def pixel(self, name: str, channels: int, out: int, neuron: str) -> str:
        rng = self.rng
        bits, pixel_shift = int(rng.integers(8, 17)), int(rng.integers(0, 5))
        mantissa = rng.integers(-(1 << (bits - 1)) + 1, 1 << (bits - 1), (out, channels, 3, 3))
        room = max(0, 14 - bits)  # keeps sums well inside the accumulator
        weight = mantissa << rng.integers(0, room + 1, (out, 1, 1, 1))
        centre = tuple(rng.integers(0, 255 << pixel_shift, channels).tolist())
        blank = PixelConv(
            name=name,
            weight=weight,
            bias=np.zeros(out, dtype=np.int64),
            shift=SHIFTS[0],
            weight_bits=bits,
            pixel_shift=pixel_shift,
            centre=centre,
            padding=1,
            neuron=Neuron(name=neuron, theta=1),
        )
        sums = self.executor.sums(blank, self.env)
        # no factor here: choose the shift that brings the spread nearest to the threshold
        typical = np.median(sums.std(axis=(0, 1, 3, 4)))
        shift = min(SHIFTS, key=lambda s: abs(np.log2(typical / (1 << s) / self.one)))
        theta = int(np.clip(0.7 * typical / (1 << shift), 1, 1 << 16))
        level = rng.uniform(-0.5, 1.5, out) * theta * (1 << shift)
        bias = np.rint(level - sums.mean(axis=(0, 1, 3, 4))).astype(np.int64)
        layer = PixelConv(
            name=name,
            weight=weight,
            bias=np.clip(bias, -(1 << 30), 1 << 30) + (1 << (shift - 1)),
            shift=shift,
            weight_bits=bits,
            pixel_shift=pixel_shift,
            centre=centre,
            padding=1,
            neuron=Neuron(name=neuron, theta=theta),
        )
        return self.add(layer, neuron)

    def binary(
        self,
        name: str,
        source: str,
        out: int,
        side: int,
        neuron: str | None,
        residual: Residual | None = None,
    ) -> str:
        """Adds the layer; gives ``neuron``, or "" where there is none."""
        weight = self.rng.random((out, self.env[source].shape[2], side, side)) < 0.5
        fields = {"name": name, "source": source, "weight": weight}
        nothing = Affine(
            factor=np.zeros(out, dtype=np.int64), bias=np.zeros(out, dtype=np.int64), shift=4
        )
        sums = self.executor.sums(BinaryLayer(**fields, affine=nothing), self.env)
        affine = self.affine(sums, (out,), 2)
        layer = BinaryLayer(**fields, affine=affine, residual=residual, neuron=self.neuron(neuron))
        return self.add(layer, neuron or "")

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
            x = self.executor.sums(layer, self.env) * int(affine.factor[0]) >> affine.shift
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
        sums = self.executor.sums(blank, self.env)  # (T, B, H, d, N)
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
