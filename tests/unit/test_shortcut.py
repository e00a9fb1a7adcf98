"""ShortcutRead: each row's C bits from any byte of its word, in the cycles it states."""

import numpy as np
import pytest

from hw.arch import Config
from hw.arch.timing import PICKED, ROW_DATA
from hw.core.shortcut import ShortcutRead
from tests.unit.bench import Bench

CONFIGS = {
    "r4c8w32": Config(rows=4, cols=8, width=32),
    "r4c16w64": Config(rows=4, cols=16, width=64),
    "r8c32w32": Config(rows=8, cols=32, width=32),
    "r8c64w128": Config(rows=8, cols=64, width=128),
    "r16c16w32": Config(rows=16, cols=16, width=32),
}
TAKE = 1  #: From tau to ``take``.


@pytest.fixture(scope="module", params=CONFIGS)
def unit(request):
    config = CONFIGS[request.param]
    return config, Bench(ShortcutRead(config), ["take", "byte", "data"], ["o"])


def play(unit, tiles, rng):
    """Tiles (tau, byte, words of R rows) among noise -> {(tau, row): bits}."""
    config, bench = unit
    rows = []
    for _ in range(max(tau for tau, _, _ in tiles) + PICKED + config.rows + 1):
        noise = [int.from_bytes(rng.bytes(config.width // 8), "little") for _ in range(config.rows)]
        rows.append({"byte": int(rng.integers(16)), "data": noise})
    for tau, byte, words in tiles:
        rows[tau + TAKE] |= {"take": 1, "byte": byte}
        rows[tau + TAKE + ROW_DATA]["data"] = words
    seen = bench.play(rows)
    return {
        (tau, r): seen[tau + PICKED + r]["o"] for tau, _, _ in tiles for r in range(config.rows)
    }


def wanted(config, tiles):
    """C bits from the byte on; bits past the word are 0."""
    return {
        (tau, r): words[r] >> 8 * byte & (1 << config.cols) - 1
        for tau, byte, words in tiles
        for r in range(config.rows)
    }


def draw(rng, config):
    return [int.from_bytes(rng.bytes(config.width // 8), "little") for _ in range(config.rows)]


@pytest.mark.parametrize("apart", [0, 1, 5], ids=lambda n: f"R+{n}")
def test_every_byte(unit, apart):
    """Back to back tiles of R cycles, and longer ones; every byte at which C bits may begin."""
    config, rng = unit[0], np.random.default_rng(apart)
    bytes_ = rng.permutation([*range(config.width // 8)] * 2).tolist()
    tiles = [(n * (config.rows + apart), byte, draw(rng, config)) for n, byte in enumerate(bytes_)]
    assert play(unit, tiles, rng) == wanted(config, tiles)


def test_one_bit_at_a_time(unit):
    """Each row's own word, each of its bits: no row or lane has another's."""
    config, rng = unit[0], np.random.default_rng(1)
    tiles = []
    for n in range(config.cols):
        words = [1 << (n + r) % config.cols for r in range(config.rows)]
        tiles.append((n * config.rows, 0, words))
    got = play(unit, tiles, rng)
    assert got == wanted(config, tiles)
    assert all(value.bit_count() == 1 for value in got.values())
