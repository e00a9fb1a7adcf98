"""Row events against their definition: rows, steps, lanes; fast and slow."""

import numpy as np
import pytest

from hw.arch import Config, timing
from hw.core.events import RowEvents
from tests.unit.bench import Bench, timeline

CONFIG = Config(rows=4, cols=8, width=32)
GAP = timing.STATE_GAP


@pytest.fixture(scope="module")
def bench():
    return Bench(RowEvents(CONFIG, most=16), ["tag", "last", "spread", "slow", "step"], ["event"])


def tag(rng):
    return {"valid": 1, "addr": int(rng.integers(1 << 16)), "nb": int(rng.integers(256)), "t": 3}


@pytest.mark.parametrize(("spread", "slow"), [(0, 0), (1, 0), (1, 1)])
@pytest.mark.parametrize("count", [1, 4, 8])
def test_events_of_a_tile(bench, count, spread, slow):
    """Two tiles, the second as soon as the first has ended."""
    rng, gap = np.random.default_rng(count), GAP if slow else 1
    tags = [tag(rng), tag(rng)]
    still = {"last": count - 1, "spread": spread, "slow": slow, "step": 1000}
    rows = [{**r, **still} for r in timeline(2 * count * gap + 4)]
    at = [0, count * gap]
    want = {}
    for begin, t in zip(at, tags, strict=True):
        rows[begin]["tag"] = t
        for n in range(count):
            addr = (t["addr"] + 1000 * n * spread) & 0xFFFF
            row = 0 if spread else n % 4
            want[begin + RowEvents.latency + gap * n] = (n, int(n == 0), row, addr, t["nb"])
    seen = {
        cycle: (e["count"], e["first"], e["row"], e["tag"]["addr"], e["tag"]["nb"])
        for cycle, s in enumerate(bench.play(rows))
        if (e := s["event"])["due"]
    }
    assert seen == want


def test_a_tag_replaces_what_is_left_of_the_one_before(bench):
    rng = np.random.default_rng(1)
    rows = [{**r, "last": 7} for r in timeline(16)]
    rows[0]["tag"], rows[3]["tag"] = tag(rng), tag(rng)
    counts = [s["event"]["count"] for s in bench.play(rows) if s["event"]["due"]]
    assert counts == [0, 1, 2, *range(8)]


def test_nothing_without_a_tag(bench):
    assert not any(s["event"]["due"] for s in bench.play([{"last": 3}] * 20))
