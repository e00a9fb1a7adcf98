"""Token-packing: a tile turned, two tiles joined where R is 4."""

import numpy as np
import pytest

from hw.arch import Config
from hw.core.writeback.tokens import TokenPacking
from tests.unit.bench import Bench

CONFIGS = [
    Config(rows=4, cols=8, width=32),
    Config(rows=8, cols=8, width=32),
    Config(rows=16, cols=16, width=64),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"r{c.rows}")
def test_tiles_are_turned(config):
    rng, n, cols, steps = np.random.default_rng(0), config.rows, config.cols, 3
    unit = TokenPacking(config)
    size = unit.size
    inputs = ["due", "bits", "valid", "closing", "tag"]
    bench = Bench(unit, inputs, ["pieces", "en", "head"])
    tokens = 2 * config.width  # two words of tokens
    spikes = rng.integers(2, size=(tokens, steps, cols))
    valid = rng.integers(2, size=(tokens, steps))
    rows, tags, want = [], [], {}
    for first in range(0, tokens, n):
        for t in range(steps):
            for r in range(n):
                bits = sum(int(b) << c for c, b in enumerate(spikes[first + r, t]))
                tags.append({"nb": first % 256, "t": t})
                ports = {"due": 1, "bits": bits, "valid": int(valid[first + r, t])}
                rows.append({**ports, "closing": int(r == n - 1)})
            if (first + n) % size == 0:
                piece = first + n - size
                each = (spikes * valid[:, :, None])[piece : first + n, t]
                want[len(rows) - 1] = (piece % config.width, each)
    ahead = [
        {"tag": tags[0]},
        *({**row, "tag": t} for row, t in zip(rows, [*tags[1:], {}], strict=True)),
    ]
    seen = bench.play(ahead)[1:]
    for cycle, (at, each) in want.items():
        got = [[p >> k & 1 for k in range(size)] for p in seen[cycle]["pieces"]]
        assert got == each.T.tolist()
        assert seen[cycle]["head"] == int(at == 0)
        n_bytes = config.width // 8
        some = (1 << size // 8) - 1 << at // 8
        assert seen[cycle]["en"] == (some if at else (1 << n_bytes) - 1)
