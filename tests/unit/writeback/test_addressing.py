"""Places of tokens against their definition, for whole and split columns."""

import numpy as np
import pytest

from hw.arch import Config
from hw.core.writeback.addressing import TokenPlace
from tests.unit.bench import Bench

CONFIG = Config(rows=4, cols=8, width=32)
R = CONFIG.rows


@pytest.fixture(scope="module")
def bench():
    return Bench(TokenPlace(CONFIG), ["mode", "tag", "now", "row"], ["place", "start"])


@pytest.mark.parametrize("pool", ["", "pool", "fused"])
@pytest.mark.parametrize("split", [0, 1])
def test_rows_of_tiles(bench, split, pool):
    rng = np.random.default_rng(split)
    for _ in range(12):
        gs, half, width = (int(v) for v in rng.integers(1, 60, size=3))
        x_out = int(rng.integers(width)) if rng.random() < 0.7 else 0
        tag = {"valid": 1, "addr": int(rng.integers(1 << 16)), "nb": int(rng.integers(256))}
        tag["x_out"] = x_out
        mode = {
            "gs": gs,
            "half": half,
            "img_w": width,
            "split": split,
            **({pool: 1} if pool else {}),
        }
        now = {**tag, "valid": 0}
        rows = [{"mode": mode, "tag": tag}]
        rows += [{"mode": mode, "now": now, "row": r} for r in range(R)]
        rows += [{"mode": mode}] * TokenPlace.latency
        for r, seen in enumerate(bench.play(rows)[1 + TokenPlace.latency :]):
            place, step = seen["place"], r // 2 if pool else r
            assert seen["start"] == int(x_out == 0)
            offset = tag["nb"] % R + step
            if split:
                bank = ((tag["nb"] & R) + offset % R) >> 1
                centre = tag["addr"] + (half if offset % 2 else 0)
            else:
                bank, centre = offset % R, tag["addr"] + (gs if offset >= R else 0)
            assert place["bank"] == bank % R
            near = [place[n] for n in ("left", "centre", "right")]
            assert near == [(centre + d) & 0xFFFF for d in (-gs, 0, gs)]
            assert place["has_left"] == int(x_out + step > 0)
            assert place["has_right"] == int(x_out + step + 1 < width)
