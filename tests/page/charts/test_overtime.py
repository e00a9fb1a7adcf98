"""Charts over cycles."""

import numpy as np

from sw.page.charts import overtime
from sw.page.facts import HOLDS


def test_bins_keep_the_sum():
    levels = np.random.default_rng(0).integers(0, 2, 1001).astype(np.uint8)
    edges, part = overtime.binned(levels, 40)
    assert (edges[0], edges[-1], len(part)) == (0, 1001, 40)
    assert round(float((part * np.diff(edges)).sum())) == levels.sum()
    assert len(overtime.binned(levels[:3], 40)[1]) == 3


def test_every_layer_and_region_has_a_title(digits):
    page = digits[2]
    work, memory = overtime.work(page.timeline), overtime.memory(page.memories, page.timeline.total)
    for s in page.timeline.spans:
        assert f"<title>{s.layer}: cycles " in work.wide
        assert f"<title>{s.layer}: cycles " in work.narrow
    for m in page.memories:
        for t in m.tenants:
            assert f"<title>{t.name}: {HOLDS[t.kind]}, words " in memory.wide
    assert f"{page.timeline.total} cycles" in work.alt


def test_legend():
    assert overtime.legend(["map", "spikes"], HOLDS) == [
        ("spikes", "spikes"),
        ("map", "attention map"),
    ]
