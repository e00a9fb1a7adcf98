"""Packings against their definition, for every slot and size."""

import numpy as np
import pytest

from hw.arch import Config
from hw.arch.isa import SLOT_BYTES
from hw.core.writeback.packing import SlotPacking, TapPacking
from tests.unit.bench import Bench

CONFIGS = [
    Config(rows=4, cols=8, width=32),
    Config(rows=4, cols=16, width=64),
    Config(rows=8, cols=32, width=32),
    Config(rows=8, cols=64, width=128),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"c{c.cols}w{c.width}")
def test_slots(config):
    """The slot holds the bits; with slot 0 the whole word is written, 0 above."""
    bench = Bench(SlotPacking(config), ["bits", "slot"], ["word", "en"])
    rng, cols, n_bytes = np.random.default_rng(0), config.cols, config.width // 8
    for slot in range(config.width // cols):
        bits = int.from_bytes(rng.bytes(cols // 8), "little")
        out = bench.play([{"slot": slot}, {"bits": bits, "slot": slot + 1}])[1]
        size = cols // 8
        assert out["word"] >> cols * slot & (1 << cols) - 1 == bits
        assert out["en"] == ((1 << n_bytes) - 1 if slot == 0 else (1 << size) - 1 << slot * size)
        if slot == 0:
            assert out["word"] == bits


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"c{c.cols}w{c.width}")
def test_taps(config):
    """The low bits stand in every slot that can be written."""
    bench = Bench(TapPacking(config), ["bits", "slot_log2"], ["word", "en"])
    rng, n_bytes = np.random.default_rng(1), config.width // 8
    for log2, size in enumerate(SLOT_BYTES):
        bits = int.from_bytes(rng.bytes(config.cols // 8), "little")
        out = bench.play([{"bits": bits, "slot_log2": log2}])[0]
        for q in range(3):
            fits = (q + 1) * size <= n_bytes
            assert out["en"][q] == ((1 << size) - 1 << q * size if fits else 0)
            if fits and 8 * size <= config.cols:
                mask = (1 << 8 * size) - 1
                assert out["word"] >> 8 * size * q & mask == bits & mask
