"""Pixels: columns of taps, bytes of channels, shifted and centred inside the image, 0 outside."""

import dataclasses

import numpy as np
import pytest

from hw.arch import Config, isa, timing
from hw.arch.isa import CENTRES, Op
from hw.core.pixels import ADDRESS, DATA, PixelColumn, Pixels
from tests.unit.bench import Bench, timeline

CENTRE = [100 * n - 321 for n in range(CENTRES)]
CONFIG = Config(rows=4, cols=8, width=32)
CONFIGS = {
    "r4": CONFIG,
    "r4w64": Config(rows=4, cols=8, width=64),
    "r4p2": dataclasses.replace(CONFIG, pixels=2),
    "r8": Config(rows=8, cols=8, width=32),
    "r8w64": Config(rows=8, cols=8, width=64),
    "r16": Config(rows=16, cols=16, width=32),
    "r16p2": Config(rows=16, cols=16, width=32, pixels=2),
}


def insn(op, shift=0, **fields):
    values = {f"centre{n}": c for n, c in enumerate(CENTRE)} if op == Op.MAC else {}
    words = isa.encode(op, **values, **fields, **({"pix_shift": shift} if op == Op.MAC else {}))
    return sum(w << 32 * n for n, w in enumerate(words))


def play(op, shift=0, n=120, config=CONFIG):
    """A word of pixel memory a cycle: words, values, and what unit 0 gives."""
    rng = np.random.default_rng(shift)
    dut = Pixels(config)
    assert dut.latency == timing.S_READY
    rows = [{**r, "insn": insn(op, shift)} for r in timeline(n + timing.S_READY + 1)]
    words, pixels = [], rng.integers(-256, 256, size=n).tolist()
    for t in range(n):
        word = {k: int(rng.random() < 0.8) for k in ("valid", "x_ok", "y_ok")}
        word["k"] = int(rng.integers(16))
        rows[t]["word"] = word
        rows[t + 1]["read"] = pixels[t]
        words.append(word)
    seen = Bench(dut, ["insn", "word", "read"], ["o", "reads"]).play(rows)
    assert not any(s["reads"] for s in seen)
    return words, pixels, [seen[t + timing.S_READY]["o"][0] for t in range(n)]


@pytest.mark.parametrize("config", [CONFIG, dataclasses.replace(CONFIG, pixels=1)])
def test_taps_inside_the_image(config):
    for shift in (0, 3, 7):
        words, pixels, got = play(Op.MAC, shift, config=config)
        want = [
            (p << shift) - CENTRE[w["k"] % CENTRES] if w["valid"] & w["x_ok"] & w["y_ok"] else 0
            for w, p in zip(words, pixels, strict=True)
        ]
        assert got == want
        assert 0 < want.count(0) < len(want)


@pytest.mark.parametrize("name", [*CONFIGS, "one"])
def test_a_peek_reads_its_word_in_every_bank(name):
    """Whatever the registers on the way hold of the last word's column."""
    config = CONFIGS.get(name) or dataclasses.replace(CONFIG, pixels=1)
    for column in range(-3, config.rows + 2):
        word = {"row_addr": 77, "column": column, "to_end": 9}
        rows = [{"insn": insn(Op.MAC, image=config.tile_pixels > 1), "word": word}] * 15
        rows[8:12] = [{**row, "peek": 1, "peek_addr": 500 + n} for n, row in enumerate(rows[8:12])]
        seen = Bench(Pixels(config), ["insn", "word", "peek", "peek_addr"], ["addr", "reads"]).play(
            rows
        )
        later = 2 * (config.tile_pixels > 1)
        for n in range(1, 4):
            assert seen[8 + n]["reads"]
        for n in range(4 - later // 2):  # what was asked for in the peek's last cycles comes late
            assert seen[8 + later + n]["addr"] == [500 + n] * config.rows, column
        assert not any(s["reads"] for s in (*seen[:8], *seen[13:]))


def test_other_operations_have_no_pixels():
    assert set(play(Op.GEMM)[2]) == {0}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("stride", [1, 2])
def test_several_pixels_of_row_memory(name, stride):
    """Any column in any cycle, from three left of the image to past its end."""
    config, shift, n = CONFIGS[name], 2, 150
    rng, rows, units = np.random.default_rng(stride), config.rows, config.tile_pixels
    width, lines = 2 * rows + 3, 3
    groups = -(-width // rows)
    memory = rng.integers(256, size=(rows, 1 << 7, config.width // 8))
    image = {
        (y, x, k): int(memory[x % rows, 20 + y * groups + x // rows, k])
        for y in range(lines)
        for x in range(width)
        for k in range(config.width // 8)
    }
    bench = Bench(Pixels(config), ["insn", "word", "read", "data"], ["o", "reads", "addr"])
    code = insn(Op.MAC, shift, image=1, x_twice=stride - 1)
    stimulus = [{**r, "insn": code, "read": 77} for r in timeline(n + timing.S_READY + units + 1)]
    words = []
    for t in range(n):
        y, column = int(rng.integers(lines)), int(rng.integers(-3, width + 3))
        word = {"valid": int(rng.random() < 0.9), "y_ok": int(rng.random() < 0.9), "x_ok": 0}
        word |= {"row_addr": 20 + y * groups, "column": column, "to_end": width - column}
        word["k"] = int(rng.integers(config.width // 8))
        stimulus[t]["word"] = word
        words.append((word, y))

    arrives, later = [], DATA - ADDRESS  # of the memory, a word a cycle

    def react(_, out):
        addr = [a % memory.shape[1] for a in out["addr"]]
        words = [bytes(memory[b, a].tolist()) for b, a in enumerate(addr)]
        arrives.append([int.from_bytes(w, "little") for w in words])
        return {"data": arrives[-later]} if len(arrives) >= later else {}

    seen, some = bench.play(stimulus, react), set()
    for t, (word, y) in enumerate(words):
        assert seen[t + ADDRESS]["reads"] == word["valid"]
        for u in range(units if stride == 1 else min(units, rows // 2)):
            x, k = word["column"] + stride * u, word["k"]
            inside = word["valid"] and word["y_ok"] and 0 <= x < width
            want = (image[y, x, k] << shift) - CENTRE[k % CENTRES] if inside else 0
            assert seen[t + timing.pixel_cycle(config, u)]["o"][u] == want, (t, u)
            some.add((bool(inside), x < 0, x >= width))
    assert len(some) == 4  # inside or not, left and right of the image


@pytest.mark.parametrize(("pixels", "twice", "pad"), [(1, 0, 0), (4, 0, 2), (2, 1, 3), (16, 0, 1)])
def test_columns_of_tiles(pixels, twice, pad):
    """Two image rows of three tiles, two steps each, five taps."""
    bench = Bench(
        PixelColumn(), ["insn", "setup", "last", "tile_end", "index"], ["column", "to_end"]
    )
    code = insn(Op.MAC, n_pix=pixels - 1, x_twice=twice, shift_left=pad, img_w=50)
    rows, want = [{"insn": code}, {"insn": code, "setup": 1}], {}
    for _, x, t in np.ndindex(2, 3, 2):
        for dx in range(5):
            column = x * pixels * (1 + twice) + dx - pad
            want[len(rows)] = (column, 50 - column)
            last = {"t": int(t == 1), "x": int(x == 2)}
            row = {"insn": code, "index": {"dx": dx}, "last": last, "tile_end": int(dx == 4)}
            rows.append(row)
    seen = bench.play(rows)
    assert {n: (seen[n]["column"], seen[n]["to_end"]) for n in want} == want
