"""Pixels: shifted and centred by channel inside the image, 0 outside."""

import numpy as np

from hw.arch import isa, timing
from hw.arch.isa import CENTRES, Op
from hw.core.pixels import Pixels
from tests.unit.bench import Bench, timeline

CENTRE = [100 * n - 321 for n in range(CENTRES)]


def insn(op, shift):
    values = {f"centre{n}": c for n, c in enumerate(CENTRE)} if op == Op.MAC else {}
    words = isa.encode(op, **values, **({"pix_shift": shift} if op == Op.MAC else {}))
    return sum(w << 32 * n for n, w in enumerate(words))


def play(op, shift=0, n=120):
    rng = np.random.default_rng(shift)
    dut = Pixels()
    assert dut.latency == timing.S_READY
    rows = [{**r, "insn": insn(op, shift)} for r in timeline(n + timing.S_READY + 1)]
    words, pixels = [], rng.integers(-256, 256, size=n).tolist()
    for t in range(n):
        word = {k: int(rng.random() < 0.8) for k in ("valid", "x_ok", "y_ok")}
        word["k"] = int(rng.integers(16))
        rows[t]["word"] = word
        rows[t + 1]["read"] = pixels[t]
        words.append(word)
    seen = Bench(dut, ["insn", "word", "read"], ["o"]).play(rows)
    return words, pixels, [seen[t + timing.S_READY]["o"] for t in range(n)]


def test_taps_inside_the_image():
    for shift in (0, 3, 7):
        words, pixels, got = play(Op.MAC, shift)
        want = [
            (p << shift) - CENTRE[w["k"] % CENTRES] if w["valid"] & w["x_ok"] & w["y_ok"] else 0
            for w, p in zip(words, pixels, strict=True)
        ]
        assert got == want
        assert 0 < want.count(0) < len(want)


def test_other_operations_have_no_pixels():
    assert set(play(Op.GEMM)[2]) == {0}
