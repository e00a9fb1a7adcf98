"""All lanes: an event goes from lane to lane; what comes out is aligned to the last one."""

import numpy as np
import pytest

from hw.arch import Config, timing
from hw.core.lanes import Lanes
from hw.core.modes import Operand
from tests.unit.bench import Bench, timeline, unbuilt
from tests.unit.lanes import shut

CONFIG = Config(rows=4, cols=8, width=32, res_depth=64)
COLS = CONFIG.cols
READY = timing.S_READY
INPUTS = ["mode", "event", "res_dest", "forget", "table", "acc", "col", "sc"]
OUTPUTS = ["spikes", "x", "res_en", "res_addr", "kept", "mem_en"]


@pytest.fixture(scope="module")
def bench():
    return Bench(Lanes(CONFIG), INPUTS, OUTPUTS)


@pytest.mark.parametrize("res_dest", [0, 1])
def test_a_row_through_all_lanes(bench, res_dest):
    """x = 100 acc in each; the row's spikes come together, x and writes lane by lane."""
    acc = np.random.default_rng(res_dest).integers(-9, 10, size=COLS).tolist()
    mode = {"operand": Operand.SUM, "theta": 50, "fires": 1}
    with unbuilt():
        far = READY + Lanes(CONFIG).latency
    assert far == timing.SPIKE + COLS
    rows = [{**r, "mode": mode, "res_dest": res_dest} for r in timeline(far + COLS + 12)]
    events = [{"first": 1} for _ in rows]
    # parameters before: bias 0, factor 100 << 4 in entry 0; bias taken with the row
    for n, index in enumerate((0, 1)):
        events[n] |= {"par_factor": 1} if index else {"par_bias": 1}
        for c in range(COLS):
            rows[n + c].setdefault("col", [0] * COLS)[c] = 1600 * index
    base = 4  # tau
    events[base + READY] |= {"swap": 1}
    events[base + timing.PICKED] |= {"load": 1, "takes": 1}
    events[base + timing.X] |= {"on_bus": 1}
    events[base + timing.PRODUCT] |= {"shut": shut(0)}
    events[base + timing.Y] |= {"fire": 1, "start": 1, "row": 2, "store": 1, "res_write": 33}
    for c in range(COLS):
        rows[base + READY + c]["acc"] = [acc[c] if k == c else 0 for k in range(COLS)]
    for row, event in zip(rows, events, strict=True):
        row["event"] = event
    seen = bench.play(rows)
    x = [100 * a for a in acc]
    assert seen[base + far]["spikes"] == sum((v >> 1 >= 50) << c for c, v in enumerate(x))
    for c in range(COLS):
        assert seen[base + timing.X + 1 + c]["x"] == x[c]
        write = seen[base + timing.RES_WRITE + c]
        assert write["res_en"] == 1 << c + COLS * res_dest
        assert (write["res_addr"][c], write["kept"][c]) == (33, x[c])
    assert not any(s["mem_en"] for s in seen)
