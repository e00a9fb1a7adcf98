"""Write ports of row memory: a row's word in its bank, its taps beside it, bursts of channels."""

import numpy as np
import pytest

from hw.arch import Config
from hw.arch.isa import Dest, Pack
from hw.core.writeback.rows import ChannelBurst, RowWrites
from tests.unit.bench import Bench, timeline

CONFIG = Config(rows=4, cols=8, width=32)
R, C, W = CONFIG.rows, CONFIG.cols, CONFIG.width
INPUTS = ["mode", "valid", "place", "slot_word", "slot_en", "tap_word", "tap_en", "pooled"]
INPUTS += ["burst", "burst_addr", "burst_en", "burst_data"]


@pytest.fixture(scope="module")
def writes():
    return Bench(RowWrites(CONFIG), INPUTS, ["en", "addr", "data"])


def after(bench, **ports):
    """(bank, en, addr, data) of what is written ``latency`` cycles after one cycle of ports."""
    before = {"mode": ports.get("mode", {})}  # of the instruction, long before
    seen = bench.play([before, ports, *timeline(RowWrites.latency + 1)])
    assert not any(seen[1]["en"] + seen[-1]["en"])
    out = seen[1 + RowWrites.latency]
    return [(b, out["en"][b], out["addr"][b], out["data"][b]) for b in range(R) if out["en"][b]]


PLACE = {"centre": 50, "left": 40, "right": 60}
WORDS = {"slot_word": 0x1111, "slot_en": 3, "tap_word": 0x2222, "tap_en": [1, 2, 4], "pooled": 7}


@pytest.mark.parametrize("bank", range(R))
def test_a_word_to_its_bank(writes, bank):
    ports = {**WORDS, "place": {**PLACE, "bank": bank}, "valid": 1}
    row, none = {"dest": int(Dest.ROW)}, {"dest": int(Dest.NONE)}
    assert after(writes, mode=row, **ports) == [(bank, 3, 50, 0x1111)]
    assert after(writes, mode={**row, "pool": 1}, **ports) == [(bank, 15, 50, 7)]
    assert after(writes, mode=none, **ports) == []
    assert after(writes, mode=row, **{**ports, "valid": 0}) == []


@pytest.mark.parametrize("pack", [Pack.PAIR, Pack.TRIPLE])
@pytest.mark.parametrize("edges", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("bank", range(R))
def test_taps_to_three_banks(writes, bank, edges, pack):
    """Slot 0 of the bank to the right, 1 of its own, 2 of the one to the left; groups wrap."""
    has = dict(zip(("has_left", "has_right"), edges, strict=True))
    mode = {"dest": int(Dest.ROW_TAPS), "pack": int(pack)}
    place = {**PLACE, **has, "bank": bank}
    want = [(bank, 2, 50, 0x2222)]
    if edges[1]:
        want.append(((bank + 1) % R, 1, 60 if bank == R - 1 else 50, 0x2222))
    if edges[0] and pack == Pack.TRIPLE:
        want.append(((bank - 1) % R, 4, 40 if bank == 0 else 50, 0x2222))
    assert after(writes, mode=mode, place=place, valid=1, **WORDS) == sorted(want)


def test_a_burst_goes_to_all_banks(writes):
    got = after(writes, burst=1, burst_addr=9, burst_en=6, burst_data=[5, 6, 7, 8])
    assert got == [(b, 6, 9, 5 + b) for b in range(R)]


@pytest.mark.parametrize("head", [0, 1])
def test_channels_in_bursts(head):
    """Channel c to bank c mod R, groups of R channels gs apart; the head with 0 above it."""
    inputs = ["take", "pieces", "addr", "en", "head", "gs"]
    bench = Bench(ChannelBurst(CONFIG), inputs, ["active", "o_addr", "o_en", "o_data"])
    pieces = np.random.default_rng(head).integers(256, size=C).tolist()
    first = {"take": 1, "pieces": pieces, "addr": 100, "en": 2, "head": head}
    seen = bench.play([{**r, "gs": 30} for r in [first, *timeline(C // R + 2)]])
    begin = ChannelBurst.latency
    assert [s["active"] for s in seen] == [0] * begin + [1] * (C // R) + [0] * 2
    for g in range(C // R):
        out = seen[begin + g]
        assert (out["o_addr"], out["o_en"]) == (100 + 30 * g, 2)
        each = [p if head else p * 0x01010101 for p in pieces[R * g : R * g + R]]
        assert out["o_data"] == each
