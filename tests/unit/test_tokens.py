"""Tokens and destination of tiles against their definition."""

import numpy as np
import pytest

from hw.arch import Config, isa
from hw.arch.isa import Mod, Op, Step
from hw.core.tokens import Destination, Tokens
from tests.unit.bench import Bench, timeline

CONFIG = Config(rows=4, cols=8, width=32)
R = CONFIG.rows
OUTPUTS = ["x_left", "y_left", "n_valid", "x_out", "nb", "crossed", "gone", "ends"]


def insn(**fields):
    return sum(w << 32 * n for n, w in enumerate(isa.encode(Op.GEMM, **fields)))


@pytest.fixture(scope="module")
def tokens():
    inputs = ["insn", "setup", "last", "odd", "tile_end", "column_end"]
    return Bench(Tokens(CONFIG), inputs, OUTPUTS)


@pytest.mark.parametrize("mod", Mod)
@pytest.mark.parametrize("flat", [0, 1])
@pytest.mark.parametrize(("width", "height"), [(3, 2), (4, 3), (9, 3), (13, 2)])
def test_tiles_of_an_image(tokens, width, height, flat, mod):
    """Tiles of two cycles over an image, twice (column tiles)."""
    n_x = -(-width // R)
    step = {"n_step": int(Step.ROWS), "n_x": n_x}
    word = insn(img_w=width, img_h=height, flat=flat, w_mod=int(mod), **step)
    rows, want = [{"insn": word}, {"insn": word}, {"insn": word, "setup": 1}], []
    unit = {Mod.ROWS: R, Mod.COLS: CONFIG.cols, Mod.WORD: CONFIG.width, Mod.PAIR: 2 * R}[mod]
    line = unit if mod == Mod.PAIR else R
    for _ in range(2):
        nb = 0
        for y in range(height):
            for x in range(n_x):
                valid = min(R, width - x * R)
                after = nb + (valid if flat else R)
                if x == n_x - 1 and not flat:
                    after = -(-after // line) * line
                want.append(
                    {
                        "x_left": width - x * R,
                        "y_left": height - y,
                        "n_valid": valid,
                        "x_out": x * R,
                        "nb": nb,
                        "crossed": int(after // unit != nb // unit),
                        "gone": after // R - nb // R,
                        "ends": int(y == height - 1),
                    }
                )
                last = {"t": 1, "x": int(x == n_x - 1), "y": int(y == height - 1)}
                end = {"tile_end": 1, "column_end": int(last["x"] and last["y"])}
                rows += [{"insn": word, "last": last}, {"insn": word, "last": last, **end}]
                nb = after
    seen = tokens.play(rows)[3:]
    got = [{name: s[name] for name in OUTPUTS} for s in seen[Tokens.latency :: 2]]
    assert got == want


@pytest.mark.parametrize(("width", "height"), [(3, 2), (4, 1), (9, 3), (13, 4), (8, 5)])
def test_tiles_of_a_pooled_image(tokens, width, height):
    """Numbers of the pooled image advance where windows end; a tile is a group all the same."""
    n_x = -(-width // R)
    word = insn(img_w=width, img_h=height, n_step=int(Step.HALF), n_x=n_x, pool=1)
    rows, want = [{"insn": word}, {"insn": word}, {"insn": word, "setup": 1}], []
    for _ in range(2):
        nb = 0
        for y in range(height):
            ends = int(y % 2 or y == height - 1)
            for x in range(n_x):
                after = nb + R // 2 * ends
                if x == n_x - 1:
                    after = -(-after // R) * R
                tile = {"n_valid": min(R, width - x * R), "x_out": x * R // 2, "nb": nb}
                crossed = int(after // R != nb // R)
                want.append({**tile, "crossed": crossed, "gone": 1, "ends": ends})
                last = {"t": 1, "x": int(x == n_x - 1), "y": int(y == height - 1)}
                end = {"tile_end": 1, "column_end": int(last["x"] and last["y"])}
                row = {"insn": word, "last": last, "odd": y % 2}
                rows += [row, {**row, **end}]
                nb = after
    seen = tokens.play(rows)[3:]
    got = [{name: s[name] for name in want[0]} for s in seen[Tokens.latency :: 2]]
    assert got == want


def test_tiles_of_pixels(tokens):
    """Four pixels a tile, at the end of an image row of ten two; without gaps, and with them."""
    for flat, numbers in ((1, [0, 4, 8, 10, 14, 18, 20]), (0, [0, 4, 8, 12, 16, 20, 24])):
        fields = {"n_step": int(Step.ONE), "n_pix": 3, "last_pix": 1, "flat": flat, "img_w": 99}
        fields["n_x"] = 3
        word = sum(w << 32 * n for n, w in enumerate(isa.encode(Op.MAC, **fields)))
        rows, want = [{"insn": word}, {"insn": word}, {"insn": word, "setup": 1}], []
        for tile, nb in enumerate(numbers[:-1]):
            ends = int(tile % 3 == 2)
            last = {"t": 1, "x": ends}
            rows += [{"insn": word, "last": last}, {"insn": word, "last": last, "tile_end": 1}]
            want.append({"nb": nb, "x_out": tile % 3 * 4, "n_valid": 2 if ends else 4})
        seen = tokens.play(rows)[4::2]
        assert [{name: s[name] for name in want[0]} for s in seen] == want


def test_single_tokens(tokens):
    word = insn(img_w=9, img_h=1, n_step=int(Step.ONE), x_twice=1, flat=1)
    rows = [{"insn": word, "setup": 1}, *({**r, "insn": word} for r in timeline(9))]
    for n in (2, 4, 6):
        rows[n] |= {"tile_end": 1, "last": {"t": 1}}
    seen = tokens.play(rows)[1:]
    assert [s["x_left"] for s in seen[::2]] == [9, 7, 5, 3, 3]
    assert [s["nb"] for s in seen[::2]] == [0, 1, 2, 3, 3]
    assert {s["n_valid"] for s in seen} == {1}


def test_destination_moves_as_its_fields_say():
    """Random ends of tiles and column tiles against plain sums."""
    rng = np.random.default_rng(0)
    names = ("w_base", "w_gs", "w_t", "w_j", "res_j")
    values = {name: int(rng.integers(1 << 16)) for name in names} | {"res_gs": 37, "slots": 3}
    word = insn(**values, head_align=1)
    inputs = ["insn", "setup", "last", "tile_end", "column_end", "crossed", "gone"]
    bench = Bench(Destination(), inputs, ["addr", "slot", "res"])
    rows, want = [{"insn": word, "setup": 1}], []
    column, groups, step, slot, res_groups, res_column = values["w_base"], 0, 0, 0, 0, 0
    for _ in range(300):
        want.append(
            {
                "addr": (column + groups + step) & 0xFFFF,
                "slot": slot,
                "res": (res_groups + res_column) & 0xFFFF,
            }
        )
        last_t, last_j, crossed = (int(v) for v in rng.integers(2, size=3))
        gone, end = int(rng.integers(3)), int(rng.random() < 0.7)
        closes = int(end and last_t and rng.random() < 0.4)
        row = {"last": {"t": last_t, "j": last_j}, "crossed": crossed, "gone": gone}
        rows.append({"insn": word, "tile_end": end, "column_end": closes, **row})
        if end and not last_t:
            step += values["w_t"]
        elif end:
            step = 0
            groups += values["w_gs"] * crossed
            res_groups += values["res_gs"] * gone
        if closes:
            groups = res_groups = 0
            res_column += values["res_j"]
            wraps = slot + 1 == 3 or last_j
            slot, column = (0, column + values["w_j"]) if wraps else (slot + 1, column)
    assert bench.play(rows)[Destination.latency :] == want
