"""Taps against their definition, over small images."""

import itertools

from hw.arch import isa
from hw.arch.isa import Op, Taps
from hw.core.taps import TapWindow
from tests.unit.bench import Bench

OUTPUTS = ["left", "right", "edge", "x_ok", "y_ok"]


def insn(op, **fields):
    return sum(w << 32 * n for n, w in enumerate(isa.encode(op, **fields)))


def bench():
    return Bench(TapWindow(), ["insn", "index", "shortcut", "x_left", "y_left"], OUTPUTS)


def test_mac_taps_inside_the_image():
    """Every tap of every position of images of 1 to 9 pixels, with stride 1 and 2."""
    rows, want = [], []
    for size, pad, twice in itertools.product((1, 2, 5, 9), range(4), (0, 1)):
        word = insn(Op.MAC, pad_y=pad, shift_left=min(pad, 1), x_twice=twice, y_twice=twice)
        for at, tap in itertools.product(range(-(-size // (1 + twice))), range(2 * pad + 2)):
            place = at << twice
            rows.append({"insn": word, "index": {"y": at, "dy": tap}, "y_left": size - place})
            want.append(int(0 <= place + tap - pad < size))
    seen = bench().play(rows)
    assert [s["y_ok"] for s in seen] == want
    assert 0 < sum(want) < len(want)


def test_columns_shift_by_the_words_dx():
    rows, want = [], []
    for taps, shift, dx, sc in itertools.product(Taps, (0, 1), range(4), (0, 1)):
        word = insn(Op.GEMM, taps=int(taps), shift_left=shift, odd_w=1)
        rows.append({"insn": word, "index": {"dx": dx}, "shortcut": sc, "x_left": 9})
        side = dx >> 1 if taps == Taps.POOL else dx
        left = shift and side == 0 and not sc
        right = side == shift + 1 and taps != Taps.STRIDE and not sc
        want.append([int(left), int(right), int(taps == Taps.STRIDE and dx >= 2)])
    seen = bench().play(rows)
    assert [[s["left"], s["right"], s["edge"]] for s in seen] == want
