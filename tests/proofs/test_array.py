# amaranth: UnusedElaboratable=no
"""The array's vendor cells equal the behavioural form, for all operands and states.

An element of the 7-series is a count as two numbers (`CarrySave`), which add up exactly, and its
field of a shared adder (`FieldSums`), which takes their sum while all fields stay inside. An
element of an ECP5 is proved whole.
"""

import pytest

from hw.arch import Config, SpikeloomError
from hw.core.array import Element
from hw.core.carrysave import CarrySave
from hw.core.popcount import MaskedPopcount
from hw.core.ripple import RippleCount, RippleSum
from tests.proofs import faults
from tests.proofs.bdd import Functions, bits, graph, interleaved
from tests.unit.test_fields import ADDENDS, Flat
from tests.unit.test_widemux import BITS, Selected

#: Widths of an operand word; the last takes most of a minute.
WIDTHS = [32, 64, pytest.param(128, marks=pytest.mark.slow)]


def same(text):
    return text


def test_every_width_is_proved():
    proved = [w if isinstance(w, int) else w.values[0] for w in WIDTHS]
    allowed = []
    for width in (1 << n for n in range(10)):
        try:
            Config(rows=4, cols=8, width=width)
        except SpikeloomError:
            continue
        allowed.append(width)
    assert proved == allowed


def count_differs(component, names, family, folder, fault=same):
    """Where the outputs ``names`` do not add up to the count of common ones, as a diagram."""
    width = component.width
    g = graph(component, folder, family, fault)
    f = Functions(interleaved(("a", width), ("b", width)))
    got, total = f.of(g), []
    for name in names:
        total = f.add(total, bits(got, name))
    return f.differ(total, f.count(width)), f.bdd.false


@pytest.mark.parametrize("width", WIDTHS)
def test_carry_save(width, tmp_path):
    wrong, never = count_differs(CarrySave(width), ("x", "y"), "xc7", tmp_path)
    assert wrong == never


@pytest.mark.parametrize("width", WIDTHS)
def test_ripple_count(width, tmp_path):
    wrong, never = count_differs(RippleCount(width), ("o", "spare"), "ecp5", tmp_path)
    assert wrong == never


@pytest.mark.parametrize(
    "width", [32, *(pytest.param(n, marks=pytest.mark.slow) for n in (64, 128))]
)
def test_behavioural_count(width, tmp_path):
    wrong, never = count_differs(MaskedPopcount(width), ("o",), "generic", tmp_path)
    assert wrong == never


@pytest.mark.parametrize("cell", [0, 7, 24])
def test_a_wrong_table_of_a_carry_save_is_found(cell, tmp_path):
    fault = faults.table_bit("LUT6_2", "INIT", cell, 37)
    wrong, never = count_differs(CarrySave(32), ("x", "y"), "xc7", tmp_path, fault)
    assert wrong != never


@pytest.mark.parametrize(("cell", "bit"), [(0, 0), (11, 10), (23, 10)])
def test_a_wrong_table_of_a_ripple_count_is_found(cell, bit, tmp_path):
    """A bit that inputs can reach: b and d are tied to 1 where what is added is no product."""
    fault = faults.table_bit("CCU2C", "INIT0", cell, bit)
    wrong, never = count_differs(RippleCount(32), ("o", "spare"), "ecp5", tmp_path, fault)
    assert wrong != never


# ---- sums ------------------------------------------------------------------------------------


def fields_differ(n, folder, fault=same):
    """Where one step of sums, all of which stay in their fields, is not what it should be.

    A first word does not subtract, and only a first word is lifted.
    """
    g = graph(Flat(n), folder, "xc7", fault)
    fields = 48 // n
    order = ["keep[0]", "neg[0]", "lift[0]"]
    for k in range(fields):
        for i in range(n):
            order += [f"{v}[{ADDENDS * k + i}]" for v in "xy" if i < ADDENDS]
            order.append(f"p[{n * k + i}]")
    f = Functions(order)
    got = f.of(g)
    assert bits(got, "p") == f.vector("p", 48)
    after = bits(got, "p'")
    keep, neg, lift = (f.bdd.var(name) for name in order[:3])
    inside, wrong = ~(neg & ~keep) & ~(lift & keep), f.bdd.false
    for k in range(fields):
        before = [f.bdd.var(f"p[{n * k + i}]") & keep for i in range(n)]
        before[-1] |= lift
        x, y = ([f.bdd.var(f"{v}[{ADDENDS * k + i}]") for i in range(ADDENDS)] for v in "xy")
        term = f.add(x, y)
        plus = f.add(before, term)
        negated = [~bit for bit in term] + [f.bdd.true] * (n - len(term))
        minus = f.add(before, negated, f.bdd.true)  # without a borrow the carry leaves as 1
        inside &= f.bdd.ite(neg, minus[n], ~plus[n])
        want = [f.bdd.ite(neg, a, b) for a, b in zip(minus[:n], plus[:n], strict=True)]
        wrong |= f.differ(want, after[n * k : n * k + n])
    assert f.bdd.false not in (inside, ~inside & wrong)  # outside, a field does meet the next
    return inside & wrong, f.bdd.false


@pytest.mark.parametrize("n", [12, 24])
def test_sums_in_fields(n, tmp_path):
    wrong, never = fields_differ(n, tmp_path)
    assert wrong == never


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"connect \ALUMODE { 2'00 \neg [0] \neg [0] }", r"connect \ALUMODE { 2'00 1'0 \neg [0] }"),
        (r"{ 1'0 \keep [0] 5'01111 }", r"{ 1'0 \keep [0] 5'00111 }"),
        (r"{ 2'00 \neg [0] \neg [0] }", r"{ 2'00 \neg [0] 1'0 }"),
        (r"connect \C { \lift [0] 5'00000", r"connect \C { 1'0 \lift [0] 4'0000"),
        (r"connect \CARRYIN 1'0", r"connect \CARRYIN 1'1"),
    ],
    ids=["no borrow in", "no C", "inverted", "lifted by half", "carry in"],
)
def test_a_wrong_adder_is_found(old, new, tmp_path):
    wrong, never = fields_differ(12, tmp_path, faults.replaced(old, new))
    assert wrong != never


def test_ripple_sum_step(tmp_path):
    wrong, never = ripple_differs(13, 5, tmp_path)
    assert wrong == never


@pytest.mark.parametrize("cell", range(7))
def test_a_wrong_table_of_a_ripple_sum_is_found(cell, tmp_path):
    fault = faults.table_bit("CCU2C", "INIT1", cell, 13)
    wrong, never = ripple_differs(13, 5, tmp_path, fault)
    assert wrong != never


def ripple_differs(n, addend, folder, fault=same):
    """Where one step of a sum is not what it should be, whatever it held."""
    g = graph(RippleSum(n, addend), folder, "ecp5", fault)
    f = Functions(["first[0]", "neg[0]", "spare[0]", *interleaved(("o", addend), ("acc", n))])
    got = f.of(g)
    first, neg = f.bdd.var("first[0]"), f.bdd.var("neg[0]")
    base = [bit & ~first for bit in f.vector("acc", n)]
    term = f.add(f.vector("o", addend), f.vector("spare", 1))
    return f.differ(step(f, base, term, neg, n), bits(got, "acc'")), f.bdd.false


def step(f, base, term, neg, n):
    """base + term, or minus term where neg, modulo 2**n."""
    term = [*term, *[f.bdd.false] * n][:n]
    return f.add(base, [f.bdd.apply("xor", bit, neg) for bit in term], neg)[:n]


@pytest.mark.parametrize("target", ["generic", "ecp5"])
def test_element(target, tmp_path):
    """Whole elements of 13 bits: the step of their sum, of all operands and states."""
    config = Config(rows=4, cols=8, width=32)
    g = graph(Element(config, target=target), tmp_path, target)
    order = [*interleaved(("a", 32), ("b", 32)), "first[0]", "neg[0]"]
    f = Functions([*order, *(f"acc[{n}]" for n in range(13))])
    got = f.of(g)
    base = [bit & ~f.bdd.var("first[0]") for bit in f.vector("acc", 13)]
    want = step(f, base, f.count(32), f.bdd.var("neg[0]"), 13)
    assert f.differ(want, bits(got, "acc'")) == f.bdd.false


# ---- multiplexers ----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 8, 16])
def test_wide_multiplexers(n, tmp_path):
    g = graph(Selected(n), tmp_path, "ecp5")
    index = (n - 1).bit_length()
    f = Functions([*(f"at[{k}]" for k in range(index)), *(f"words[{k}]" for k in range(BITS * n))])
    got = bits(f.of(g), "o")
    for k in range(n):
        chosen = f.bdd.true
        for b, bit in enumerate(f.vector("at", index)):
            chosen &= bit if k >> b & 1 else ~bit
        want = f.vector("words", BITS * n)[BITS * k : BITS * k + BITS]
        assert chosen & f.differ(want, got) == f.bdd.false
