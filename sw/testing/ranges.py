"""Random networks and cores over the whole range of what instructions can say."""

import numpy as np

from hw.arch.config import Config
from hw.arch.formats import MAX_STEPS, STATE_BITS
from hw.arch.isa import CENTRES
from sw.api import IntegerNetwork
from sw.testing.attention import random_network
from sw.testing.residual import random_residual_network

#: Rows, columns and width of cores, each as likely.
CORES = (
    (4, 8, 32),
    (4, 16, 32),
    (4, 16, 64),
    (4, 8, 128),
    (8, 8, 64),
    (8, 16, 32),
    (8, 16, 64),
    (8, 32, 64),
    (8, 32, 128),
    (8, 64, 128),
    (16, 16, 32),
    (16, 16, 64),
    (16, 64, 128),
)


def random_core(seed: int) -> Config:
    """A core for ``random_wide_network``, its memories of default depth."""
    rng = np.random.default_rng([seed, 2])
    rows, cols, width = CORES[rng.integers(len(CORES))]
    return Config(rows=rows, cols=cols, width=width)


def random_wide_network(seed: int) -> IntegerNetwork:
    """A small random network of either family; the same seed gives the same network.

    Up to MAX_STEPS steps, up to more channels than there are centres, centres of both signs and
    any size, every pixel shift, thresholds up to the largest, widths that fill tap slots of every
    size, kernels of 3, 5 and 7, odd sides.
    """
    rng = np.random.default_rng([seed, 3])
    steps = int(rng.choice([1, 2, 3, int(rng.integers(4, 9)), int(rng.integers(9, MAX_STEPS + 1))]))
    channels = int(rng.choice([1, 2, 3, int(rng.integers(4, CENTRES + 1)), CENTRES + 2]))
    side = 17 if steps < 4 else 11
    common = {
        "height": int(rng.integers(4, side) if rng.random() < 0.8 else rng.integers(1, 4)),
        "width": int(rng.integers(4, side)),
        "channels": channels,
        "classes": int(rng.integers(2, 20)),
        "steps": steps,
        "per_step_input": bool(rng.random() < 0.2),
        "wide": True,
    }
    if rng.random() < 0.5:
        order, similarity = [("qk", "and"), ("kv", "and"), ("qk", "xnor")][rng.integers(3)]
        heads = int(rng.choice([1, 2, 3, 4]))
        dims = [d for d in (8, 16, 24, 32, 48, 64) if d % heads == 0]
        return random_network(
            seed,
            **common,
            dim=int(rng.choice(dims)),
            depth=int(rng.integers(1, 3)),
            heads=heads,
            mlp_ratio=int(rng.choice([1, 2])),
            order=order,
            similarity=similarity,
            variant=str(rng.choice(["cifar", "imagenet"])),
        )
    stream = bool(rng.random() < 0.15)
    if stream:
        common |= {"steps": 1, "per_step_input": False}
    bits = int(rng.choice(STATE_BITS)) if stream or rng.random() < 0.5 else None
    if not stream and rng.random() < 0.2:
        bits = 0
    count = int(rng.integers(1, 4))
    if rng.random() < 0.15:  # one stage on a single line: as many tokens as pixels
        count, common["height"], common["width"] = 1, 1, int(rng.integers(9, 17))
    widths = tuple(int(w) for w in rng.choice([4, 8, 12, 16, 20, 32, 40, 64], count))
    if rng.random() < 0.5:
        blocks = tuple(int(b) for b in rng.integers(1, 3, count))
        stem = int(rng.choice([3, 3, 5, 7]))
        return random_residual_network(
            seed, **common, widths=widths, blocks=blocks, bits=bits, stem=stem, stream=stream
        )
    halve = tuple(n for n in range(1, count) if rng.random() < 0.5)
    pooled = bool(rng.random() < 0.5) and min(common["height"], common["width"]) >= 2**count
    return random_residual_network(
        seed,
        **common,
        widths=widths,
        halve=halve,
        bits=bits,
        pooled=pooled,
        stream=stream,
        flatten=bool(rng.random() < 0.5),
    )
