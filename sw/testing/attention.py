"""Random networks in the layer order of a BESTformer."""

import numpy as np

from sw.api import IntegerNetwork
from sw.golden.execute import IMAGE
from sw.network import Residual, SpikePool
from sw.testing.maker import SAMPLES, Maker


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
    wide: bool = False,
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
    wide : draw over the whole range of what instructions hold, not over what is usual.
    """
    frac_bits = int(np.random.default_rng(seed).integers(8, 13))
    maker = Maker(seed, steps, frac_bits=frac_bits, wide=wide)
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
    return maker.network(
        seed,
        steps=steps,
        channels=channels,
        height=height,
        width=width,
        classes=classes,
        per_step_input=per_step_input,
    )
