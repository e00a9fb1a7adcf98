"""Golden model, interpreter and RTL on many random networks, over cores of every size and form.

One compiled simulator a core; networks come to it as programs, through the load port. By default a
few networks on the core of the Arty A7-35T, whose simulator other tests compile too; all of them::

    pytest -m slow tests/cocotb/test_sweep.py
"""

import dataclasses
import random
from typing import Any

import pytest

from hw.arch import Config, SpikeloomError
from sw.compiler import compile_network
from sw.testing import random_images, random_network, random_residual_network
from tests.cocotb.inference import CONFIGS, check_free

_DEEP: dict[str, Any] = {"row_depth": 2048, "col_depth": 4096, "res_depth": 2048, "pix_depth": 4096}
_DEEP |= {"prog_depth": 2048}

#: Rows 4, 8, 16 by widths 32, 64; beside the fullest form of a core each, forms without parts.
SIZES = [(4, 8, 32), (4, 8, 64), (8, 8, 32), (8, 8, 64), (16, 16, 32), (16, 16, 64)]
CORES = {
    f"r{rows}c{cols}w{width}": Config(rows=rows, cols=cols, width=width, **_DEEP)
    for rows, cols, width in SIZES
} | {
    "one pixel, bare": Config(
        rows=4, cols=8, width=32, pixels=1, pool_depth=0, means=0, prefetch=0, **_DEEP
    ),
    "two pixels": Config(rows=8, cols=8, width=32, pixels=2, pool_depth=512, **_DEEP),
    "one pixel, means": Config(rows=4, cols=8, width=32, pixels=1, pool_depth=16, **_DEEP),
}
NETWORKS = 36  #: Of each core; 324 in all.


def drawn(rng, kind):
    """A random network of a family: attention, residual or plain, or a stream's."""
    common: dict[str, Any] = {
        "seed": rng.randrange(1 << 30),
        "height": rng.randint(4, 14),
        "width": rng.randint(4, 14),
        "channels": rng.randint(1, 5),
        "classes": rng.randint(1, 20),
    }
    if kind == "attention":
        heads = rng.randint(1, 4)
        order, similarity = rng.choice([("qk", "and"), ("kv", "and"), ("qk", "xnor")])
        return random_network(
            **common,
            dim=rng.choice([d for d in (16, 24, 32, 48, 64) if d % heads == 0]),
            depth=1,
            heads=heads,
            mlp_ratio=rng.choice([1, 2, 3]),
            steps=rng.randint(1, 4),
            order=order,
            similarity=similarity,
            variant=rng.choice(["imagenet", "cifar"]),
            per_step_input=rng.random() < 0.3,
        )
    stages = rng.randint(1, 3)
    shape: dict[str, Any] = {
        "widths": tuple(rng.choice([3, 8, 16, 20, 32, 40]) for _ in range(stages))
    }
    if rng.random() < 0.5:
        shape |= {"blocks": (1,) * stages, "stem": rng.choice([3, 5, 7])}
    else:
        halve = [n for n in range(1, stages) if rng.random() < 0.5]
        shape |= {
            "halve": tuple(halve),
            "pooled": rng.random() < 0.5,
            "flatten": rng.random() < 0.5,
        }
        shape |= {"first": rng.choice([(3, 1), (3, 2), (5, 1), (5, 2), (7, 2)])}
        least = 2 << len(halve)  # pools of 2 leave nothing of a side of 1
        common |= {side: max(common[side], least) for side in ("height", "width")}
    if kind == "stream":
        shape |= {"steps": 1, "bits": rng.choice([2, 4, 8]), "stream": True}
    else:
        shape |= {"steps": rng.randint(1, 4), "bits": rng.choice([None, 0, 2, 4, 8])}
        shape |= {"per_step_input": rng.random() < 0.3}
    return random_residual_network(**common, **shape)


def sweep(config, count, seed):
    """Check ``count`` networks that fit a core; of those drawn, most must."""
    rng, done, refused = random.Random(seed), 0, 0
    while done < count:
        network = drawn(rng, ("attention", "residual", "stream")[done % 3])
        try:
            program = compile_network(network, config)
        except SpikeloomError:
            refused += 1
            assert refused < count + 10, f"{refused} networks do not fit, {done} do"
            continue
        check_free(network, program, random_images(network, 3 if network.stream else 2, done))
        done += 1


def test_a_few_networks():
    sweep(CONFIGS["arty_a7"], 6, 0)


@pytest.mark.slow  # a simulator each, and minutes of networks
@pytest.mark.parametrize("core", CORES)
def test_every_core(core):
    sweep(CORES[core], NETWORKS, list(CORES).index(core) + 1)


def test_every_form_of_a_core_is_here():
    """300 networks or more; each setting takes each of its kinds of value."""
    assert len(CORES) * NETWORKS >= 300
    seen = {
        f.name: {getattr(c, f.name) for c in CORES.values()} for f in dataclasses.fields(Config)
    }
    assert seen["rows"] == {4, 8, 16}
    assert seen["width"] == {32, 64}
    assert seen["pixels"] == {0, 1, 2}
    assert seen["means"] == seen["prefetch"] == {0, 1}
    assert 0 in seen["pool_depth"]
    assert len(seen["pool_depth"]) >= 3
