"""Windows of spikes that come row by row, against the pool of the whole image."""

import numpy as np
import pytest

from hw.arch import Config
from hw.arch.config import POOL_LUT_WORDS
from hw.core.writeback.pooling import FusedPool
from sw.network.layers.pool import pool3x3
from tests.unit.bench import Bench

SIZES = [(1, 1, 1), (2, 3, 1), (5, 9, 3), (4, 16, 2), (3, 6, 4), (7, 8, 2)]


def line(config, width, steps):
    return config.rows // 2 * -(-width // config.rows) * steps


def played(config, image, rng):
    """Row events of an image (T, H, W) of C bits a token, and the windows that they end.

    Rows that are no token have 0, other ports anything while nothing is due.
    """
    steps, height, width = image.shape
    n, rows, places = config.rows, [], []
    for y in range(height):
        for x in range(0, width, n):
            for t in range(steps):
                new = y == 0 and x == 0 and t == 0
                tag = {"t": t, "new": int(new), "n_valid": min(n, width - x), "odd": y % 2}
                tag["ends"] = int(y % 2 or y == height - 1)
                for r in range(n):
                    bits = int(image[t, y, x + r]) if x + r < width else 0
                    at = {"due": 1, "row": r, "bits": bits, "tag": tag, "start": int(x == 0)}
                    if r % 2 and tag["ends"] and x + r - 1 < width:
                        places.append((len(rows), t, y // 2, (x + r) // 2))
                    rows.append(at)
                rows += [{"bits": int(rng.integers(1 << 8)), "row": 1}] * int(rng.integers(3))
    return rows, places


@pytest.mark.parametrize("depth", [24, POOL_LUT_WORDS + 1], ids=["distributed", "block"])
@pytest.mark.parametrize("rows", [4, 8])
def test_windows_of_images(rows, depth):
    """One image after the other, as column tiles come; whole, odd and tiny ones."""
    config, rng = Config(rows=rows, cols=8, pool_depth=depth), np.random.default_rng(rows)
    bench = Bench(FusedPool(config), ["due", "row", "bits", "tag", "start"], ["valid", "window"])
    stimulus, wanted = [], {}
    for height, width, steps in SIZES * 2:
        assert line(config, width, steps) <= depth
        image = rng.integers(1 << 8, size=(steps, height, width)) & rng.integers(
            1 << 8, size=(steps, height, width)
        )
        pooled = pool3x3(image)
        events, places = played(config, image, rng)
        wanted |= {len(stimulus) + at: int(pooled[t, y, x]) for at, t, y, x in places}
        stimulus += events
    told = ("due", "row", "tag")  # a cycle before the spikes
    ahead = [{n: v for n, v in row.items() if n in told} for row in [*stimulus, {}]]
    late = [{n: v for n, v in row.items() if n not in told} for row in [{}, *stimulus]]
    seen = bench.play([a | b for a, b in zip(ahead, late, strict=True)])[1:]
    assert {n: s["window"] for n, s in enumerate(seen) if s["valid"]} == wanted
