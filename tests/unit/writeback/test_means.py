"""Bursts of means: when a lane's comes, and to which word."""

import pytest

from hw.arch import Config, timing
from hw.core.writeback.means import MeanBurst
from tests.unit.bench import Bench, timeline

CONFIGS = [Config(rows=4, cols=8, width=32), Config(rows=8, cols=16, width=32)]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"c{c.cols}")
@pytest.mark.parametrize("distance", [0, 3])
def test_words_of_column_tiles_follow_each_other(config, distance):
    """Two instructions; column tiles as close as can be, and further apart."""
    cols = config.cols
    unit = MeanBurst(config)
    latency = timing.mean_row(config) - (config.rows - 1)
    assert unit.latency == latency == 7
    bench = Bench(unit, ["begin", "base", "take"], ["due", "addr"])
    rows = [{**r, "base": 9} for r in timeline(120)]
    wanted, at = {}, 2
    for base, tiles in ((100, 2), (0xFFFA, 1)):
        rows[at] |= {"begin": 1, "base": base}
        for tile in range(tiles):
            take = at + 1 + tile * (cols + distance)
            rows[take]["take"] = 1
            for c in range(cols):
                wanted[take + latency + c] = (base + tile * cols + c) & 0xFFFF
        at += tiles * (cols + distance) + latency + 2
    seen = bench.play(rows)
    assert {n: s["addr"] for n, s in enumerate(seen) if s["due"]} == wanted
