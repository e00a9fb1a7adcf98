"""Write ports of column memory: keys by token, values by channel."""

import pytest

from hw.arch import Config
from hw.arch.isa import Dest
from hw.core.writeback.columns import ColumnWrites
from tests.unit.bench import Bench, timeline

CONFIG = Config(rows=4, cols=8, width=32)
C = CONFIG.cols
INPUTS = ["dest", "addr", "valid", "token", "word", "en", "closing", "pieces", "piece_en", "head"]
PORTS = {
    "addr": 77,
    "word": 0xABCD,
    "en": 2,
    "piece_en": 4,
    "pieces": [3 * c + 1 for c in range(C)],
}


@pytest.fixture(scope="module")
def bench():
    return Bench(ColumnWrites(CONFIG), INPUTS, ["o_en", "o_addr", "o_data"])


def after(bench, **ports):
    before = {"dest": ports["dest"]}
    seen = bench.play([before, {**PORTS, **ports}, *timeline(ColumnWrites.latency + 1)])
    assert not any(seen[1]["o_en"] + seen[-1]["o_en"])
    out = seen[1 + ColumnWrites.latency]
    banks = [b for b in range(C) if out["o_en"][b]]
    return [(b, out["o_en"][b], out["o_addr"][b], out["o_data"][b]) for b in banks]


@pytest.mark.parametrize("token", range(C))
def test_a_token_to_its_bank(bench, token):
    key = int(Dest.COL_TOKEN)
    assert after(bench, dest=key, valid=1, token=token) == [(token, 2, 77, 0xABCD)]
    assert after(bench, dest=key, valid=0, token=token) == []
    assert after(bench, dest=int(Dest.ROW), valid=1, closing=1, token=token) == []


@pytest.mark.parametrize("head", [0, 1])
def test_a_tiles_channels_to_all_banks(bench, head):
    got = after(bench, dest=int(Dest.COL_CHANNEL), closing=1, head=head)
    assert got == [(c, 4, 77, p if head else p * 0x01010101) for c, p in enumerate(PORTS["pieces"])]
    assert after(bench, dest=int(Dest.COL_CHANNEL), valid=1, closing=0) == []
