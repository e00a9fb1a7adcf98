"""Row events against their definition: rows, passes through them, lanes; fast and slow."""

import numpy as np
import pytest

from hw.arch import Config, timing
from hw.core.events import RowEvents
from tests.unit.bench import Bench, timeline

CONFIG = Config(rows=4, cols=8, width=32)
GAP = timing.STATE_GAP


@pytest.fixture(scope="module")
def bench():
    return Bench(RowEvents(CONFIG, most=8), ["tag", "last", "passes", "slow", "step"], ["event"])


def tag(rng):
    return {"valid": 1, "addr": int(rng.integers(1 << 16)), "nb": int(rng.integers(256)), "t": 3}


@pytest.mark.parametrize("slow", [0, 1])
@pytest.mark.parametrize("passes", [1, 3, 16])
@pytest.mark.parametrize("count", [1, 2, 4, 5, 8])
def test_events_of_a_tile(bench, count, passes, slow):
    """Two tiles, the second as soon as the first has ended."""
    rng, gap = np.random.default_rng(count), max(count, GAP if slow else 1)
    tags = [tag(rng), tag(rng)]
    still = {"last": count - 1, "passes": passes - 1, "slow": slow, "step": 1000}
    rows = [{**r, **still} for r in timeline(2 * passes * gap + 4)]
    at = [0, (passes - 1) * gap + count]
    want = {}
    for begin, t in zip(at, tags, strict=True):
        rows[begin]["tag"] = t
        for step, n in np.ndindex(passes, count):
            addr = (t["addr"] + 1000 * step) & 0xFFFF
            first = (int(n + step == 0), int(step == 0))
            want[begin + RowEvents.latency + gap * step + n] = (n, first, n % 4, addr, t["nb"])
    seen = {
        cycle: (e["count"], (e["opens"], e["first"]), e["row"], e["tag"]["addr"], e["tag"]["nb"])
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
