"""PoolUnit against the golden 3x3 pooling."""

import numpy as np
import pytest

from hw.arch import Config, timing
from hw.core.pool import PoolUnit
from sw.golden import ops
from tests.unit.bench import Bench, timeline

CONFIGS = {
    "r4w32": Config(rows=4, cols=8, width=32),
    "r8w64": Config(rows=8, cols=8, width=64),
}
TILE_WORDS = 6  # 3 image rows, 2 shifts


@pytest.fixture(scope="module", params=CONFIGS)
def unit(request):
    cfg = CONFIGS[request.param]
    return cfg, Bench(PoolUnit(cfg), ["rows", "first", "left", "row"], ["o"])


def pooled(cfg, bench, image):
    """Feed an image (H, W) of words as RowRead does; return what comes out, as (H, W) / 2."""
    n, (h, w) = cfg.rows, image.shape
    out_h, n_x, period = -(-h // 2), -(-w // n), max(TILE_WORDS, n)
    tiles = [(y, x) for y in range(out_h) for x in range(n_x)]
    stimulus = timeline(len(tiles) * period + timing.ROW_READ + n + 4)
    for s in stimulus:
        s["rows"] = [0] * n
    taus = []
    for number, (y, x) in enumerate(tiles):
        t = number * period
        taus.append(t + TILE_WORDS - 1)
        for dy in range(3):
            for dx in range(2):
                word = t + 2 * dy + dx
                stimulus[word] |= {"first": int(dy == dx == 0), "left": int(dx == 0)}
                for r in range(n):
                    at, row = x * n + r, 2 * y + dy - 1
                    source = at + dx - 1
                    if 0 <= row < h and at < w and 0 <= source < w:
                        stimulus[word + timing.ROW_READ + r]["rows"][r] = int(image[row, source])
        for r in range(n):
            stimulus[taus[-1] + timing.ROW_READ + 2 + r]["row"] = r
    seen = bench.play(stimulus)
    out = np.zeros((out_h, -(-w // 2)), image.dtype)
    for (y, x), tau in zip(tiles, taus, strict=True):
        for r in range(0, n, 2):
            if x * n + r < w:
                out[y, (x * n + r) // 2] = seen[tau + timing.ROW_READ + 3 + r]["o"]
    return out


@pytest.mark.parametrize(("high", "wide"), [(4, 0), (5, 1), (2, -1), (1, -2), (3, 3)])
def test_equals_golden(unit, high, wide):
    cfg, bench = unit
    rng = np.random.default_rng(high)
    width = cfg.rows + wide
    bits = (rng.random((cfg.width, high, width)) < 0.15).astype(np.uint8)
    image = sum(b.astype(np.uint64) << np.uint64(n) for n, b in enumerate(bits))
    got = pooled(cfg, bench, image)
    want = ops.pool3x3(bits)
    for n in range(cfg.width):
        assert ((got >> np.uint64(n) & np.uint64(1)) == want[n]).all(), n


def test_single_spike_reaches_its_windows_only(unit):
    """Corners and middle of a 4 x 2R image: each spike shows in 1, 2 or 4 windows."""
    cfg, bench = unit
    w = 2 * cfg.rows
    for y, x in ((0, 0), (3, w - 1), (1, 1), (1, cfg.rows - 1), (2, cfg.rows)):
        image = np.zeros((4, w), np.uint64)
        image[y, x] = 1 << (cfg.width - 1)
        want = ops.pool3x3((image > 0).astype(np.uint8))
        assert (pooled(cfg, bench, image) == image.max() * want).all()
