"""Affine alone against the golden affine map, head and mean, in the cycles its docstring states."""

import numpy as np
import pytest

from hw.arch.formats import BIAS_MAX, FACTOR_MAX, MEMBRANE_MAX, MEMBRANE_MIN, PRODUCT_BITS, SHIFTS
from hw.core.affine import Affine
from hw.core.mac import LaneMAC
from hw.core.modes import Operand
from sw.golden import ops
from tests.unit.lanes import CONFIG, INPUTS, PLAIN, PartBench, Script, X, Y, numbers, shut


@pytest.fixture(scope="module")
def bench():
    dut = Affine(CONFIG)
    assert dut.latency == X
    return PartBench(dut, [*(n for n in INPUTS if n in dut.signature.members), "r"], ["x"])


@pytest.mark.parametrize("double", [0, 1])
@pytest.mark.parametrize("shift", range(len(SHIFTS)))
def test_affine(bench, shift, double):
    """x of back-to-back rows; new bias and factors before each group."""
    rng, s = (
        np.random.default_rng(shift),
        Script(shift, shift=shift, operand=Operand.DOUBLE if double else Operand.SUM),
    )
    want, top = {}, 1 << (CONFIG.acc_bits - 1)
    for group in range(8):
        bias = numbers(rng, -BIAS_MAX - 1, BIAS_MAX, 1)[0]
        factors = numbers(rng, -FACTOR_MAX - 1, FACTOR_MAX, 4)
        if group == 0:
            bias, factors[0] = BIAS_MAX, FACTOR_MAX
        s.parameters([bias, *factors], half=group & 1)
        for n in range(8):
            acc = numbers(rng, -top, top - 1, 1)[0]
            side = -int(rng.integers(top)) if rng.random() < 0.8 else 0
            total = (acc << double) + side
            entry = n & 3
            at = s.event(acc=acc, side=side, use=entry | (group & 1) << 4, swap=n == 0)
            assert abs(total * factors[entry] + bias) < 1 << (PRODUCT_BITS - 1)
            want[at + X] = int(ops.affine(total, factors[entry], bias, SHIFTS[shift]))
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want
    if shift == 0:
        assert MEMBRANE_MAX in want.values()
        assert MEMBRANE_MIN in want.values()


def test_rounding_is_down_and_saturation_sharp(bench):
    """Products one below and above the last that fits, and -1 >> shift = -1."""
    for shift, bits in enumerate(SHIFTS):
        s, want = Script(shift=shift), {}
        for value in (
            -1,
            0,
            1,
            -(1 << bits),
            (1 << bits) - 1,
            MEMBRANE_MAX << bits,
            (MEMBRANE_MAX + 1 << bits) - 1,
            MEMBRANE_MAX + 1 << bits,
            MEMBRANE_MIN << bits,
            (MEMBRANE_MIN << bits) - 1,
        ):
            if not -BIAS_MAX <= value <= BIAS_MAX:
                continue
            s.parameters([value, PLAIN])
            want[s.event(swap=1) + X] = int(np.clip(value >> bits, MEMBRANE_MIN, MEMBRANE_MAX))
        seen = s.play(bench)
        assert {t: seen[t]["x"] for t in want} == want


def test_parameters_are_double_buffered(bench):
    """Half 1 and the next bias are loaded while every cycle uses half 0 and the old bias."""
    rng, s, want = np.random.default_rng(6), Script(), {}
    sets = [
        (int(rng.integers(-9999, 9999)), rng.integers(-999, 999, size=16).tolist())
        for _ in range(3)
    ]
    s.parameters([sets[0][0], *sets[0][1]], half=0)
    begin = s.at
    for k, (bias, factors) in enumerate(sets):
        for n in range(20):
            at = s.event(begin + 20 * k + n, side=1000 + n, use=n % 16 | (k & 1) << 4, swap=n == 0)
            want[at + X] = int(ops.affine(1000 + n, factors[n % 16], bias, SHIFTS[0]))
        if k + 1 < len(sets):
            s.parameters([sets[k + 1][0], *sets[k + 1][1]], half=(k + 1) & 1, at=begin + 20 * k + 1)
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want


def test_factor_table_per_step(bench):
    """All 16 entries of both halves, in any order."""
    rng, s, want = np.random.default_rng(7), Script(shift=1), {}
    tables = rng.integers(-FACTOR_MAX, FACTOR_MAX, size=(2, 16)).tolist()
    for half in (0, 1):
        s.parameters([-5, *tables[half]], half=half)
    for n, use in enumerate(rng.permutation(64) % 32):
        at = s.event(acc=3 * n - 90, use=int(use), swap=1)
        want[at + X] = int(ops.affine(3 * n - 90, tables[use >> 4][use & 15], -5, SHIFTS[1]))
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want


def test_mac(bench):
    """Pixels by 18-bit weights of the column words, sums of several lengths back to back."""
    rng, s, want = np.random.default_rng(8), Script(operand=Operand.PIXEL, shift=2), {}
    bias, s.at = 0, 1
    for count in (1, 5, 3, 9, 1, 1, 4):
        if count in (5, 9):
            bias = int(rng.integers(-BIAS_MAX, BIAS_MAX))
            s.parameters([bias])
            s.at += 1
        p = rng.integers(-1 << 15, 1 << 15, size=count)
        w = rng.integers(-1 << 15, 1 << 15, size=count)
        w[0] = rng.choice([FACTOR_MAX, -FACTOR_MAX - 1])
        garbage = int(rng.integers(1 << 14)) << 18  # bits above the weight
        for n in range(count):
            at = s.at
            s.put(at - 1, col=int(w[n]) & 0x3FFFF | garbage, par_factor=1, par_entry=9)
            s.put(
                at,
                side=int(p[n]),
                use=9,
                swap=int(n == 0),
                acc=int(rng.integers(4096)),
            )
            s.put(at + 1, first=int(n == 0))
            s.at += 1
        s.put(at + X - 1, load=1, takes=1)
        total = int(ops.pixel_sum(p[None], w[None])[0, 0])
        want[at + X] = int(ops.saturate((total + bias) >> SHIFTS[2]))
    s.put(s.at + 8)
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want


def test_several_pixels(bench):
    """Each unit sums a pixel with the same weights, tiles back to back; x of each row, twice."""
    rng, s, want = np.random.default_rng(10), Script(operand=Operand.PIXEL, shift=2), {}
    units, bias, s.at = CONFIG.tile_pixels, 0, 1
    for count in (4, 9, 6, 4):
        if count == 9:
            bias = int(rng.integers(-BIAS_MAX, BIAS_MAX))
            s.parameters([bias])
            s.at += 1
        p = rng.integers(-1 << 15, 1 << 15, size=(units, count))
        w = rng.integers(-1 << 15, 1 << 15, size=count)
        for n in range(count):
            s.put(s.at - 1, col=int(w[n]) & 0x3FFFF, par_factor=1, par_entry=16)
            s.put(s.at, side=int(p[0, n]), use=16, swap=int(n == 0))
            s.put(s.at + 1, first=int(n == 0))
            s.put(s.at, bias_1=int(n == 0))
            s.put(s.at + 1, factor_1=1, operand_1=int(p[1, n]))
            s.put(s.at + 2, first_1=int(n == 0), adds_1=1)
            for u in range(2, units):
                s.put(s.at + u, **{f"pixel_{u}": int(p[u, n])})
            s.at += 1
        for u in range(units):
            at = s.at - 1 + u
            s.put(at + X - 2, unit=u)
            s.put(at + X - 1, load=1, takes=1)
            total = int((p[u] * w).sum()) + bias
            want[at + X] = int(ops.saturate(total >> SHIFTS[2]))
    last = [want[s.at - 1 + u + X] for u in range(units)]
    for n, u in enumerate([3, 0, 0, 2, 1]):  # rows of the last tile again
        at = s.at + units + n
        s.put(at + X - 2, unit=u)
        s.put(at + X - 1, load=1)
        want[at + X] = last[u]
    s.put(s.at + 20)
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want


def test_mean(bench):
    """Residual words by one factor; words that are not gated in come as 0."""
    rng, s = np.random.default_rng(9), Script(operand=Operand.RESIDUAL, shift=3)
    bias, factor, want = -12345, 77, {}
    s.parameters([bias, factor])
    for count in (6, 1, 8):
        words = rng.integers(MEMBRANE_MIN, MEMBRANE_MAX + 1, size=count)
        words *= rng.random(count) < 0.7
        for n in range(count):
            at = s.at
            s.put(at, r=int(words[n]), acc=int(rng.integers(4096)), swap=int(n == 0))
            s.put(at + 1, first=int(n == 0))
            s.at += 1
        s.put(at + X - 1, load=1, takes=1)
        residual = words.reshape(1, 1, 1, 1, -1)
        want[at + X] = int(ops.token_mean(residual, factor, bias, SHIFTS[3])[0, 0])
    s.put(s.at + 8)
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want


def test_x_holds_until_load(bench):
    s = Script()
    s.parameters([0, PLAIN])
    at = s.event(side=321, swap=1)
    s.put(at + 20)
    seen = s.play(bench)
    assert [r["x"] for r in seen[at + X : at + 20]] == [321] * (20 - X)


@pytest.mark.parametrize("shift", range(len(SHIFTS)))
def test_a_sum_beside_rows_of_the_array(bench, shift):
    """Words that count, each a cycle before it is told so; rows use x before and after the mean."""
    rng, s, want = np.random.default_rng(shift), Script(shift=1), {}
    bias, factor = int(rng.integers(-(1 << 20), 1 << 20)), int(rng.integers(-5000, 5000))
    s.put(0, col=bias & 0xFFFFFFFF, par_bias=1)
    s.put(1, col=factor & 0x3FFFF, bias_1=1)
    s.put(3, factor_1=1)
    s.at = 2
    s.parameters([-5, 77])
    for count in (6, 1, 9):
        kept = numbers(rng, MEMBRANE_MIN, MEMBRANE_MAX, count)
        counts = [True, *(rng.random(count - 1) < 0.7)]
        begin = s.at
        for n in range(count):
            at = s.event(acc=n + 3, swap=int(count == 6 and n == 0))
            want[at + X] = int(ops.affine(n + 3, 77, -5, SHIFTS[1]))
        for n in range(count + 4):  # any words of rows that do not count
            one = n < count and counts[n]
            s.put(begin + Y + n, operand_1=kept[n] if n < count else int(rng.integers(999)))
            s.put(begin + Y + n + 1, adds_1=int(one), first_1=int(n == 0))
        takes = begin + Y + count - 1 + LaneMAC.latency
        s.put(takes, unit=1, shut=shut(shift))
        s.put(takes + 1, load=1, takes=1)
        total = sum(k for k, c in zip(kept, counts, strict=True) if c)
        want[takes + 2] = int(ops.saturate((total * factor + bias) >> SHIFTS[shift]))
        s.at = takes + 2
    s.put(s.at + X + 2)
    seen = s.play(bench)
    assert {t: seen[t]["x"] for t in want} == want
