# amaranth: UnusedElaboratable=no
"""Parts of a lane whose form is made for LUTs equal what they are said to be, for all inputs."""

import pytest

from hw.arch.formats import MEMBRANE_BITS, PRODUCT_BITS, SHIFTS
from hw.core import shift as shift_module
from hw.core.kept import Kept
from hw.core.mixer import Mixer
from hw.core.shift import Shift
from tests.proofs import faults, sources
from tests.proofs.bdd import Functions, bits, graph, interleaved

TARGETS = ["generic", "ecp5", "xc7"]


def same(text):
    return text


def chosen(f, values, index):
    """Return the word among ``values`` that the bits of ``index`` tell."""
    if not index:
        return values[0]
    low, high = (chosen(f, values[half::2], index[1:]) for half in (0, 1))
    return [f.bdd.ite(index[0], one, zero) for zero, one in zip(low, high, strict=True)]


def extended(word, width):
    return [*word, *[word[-1]] * (width - len(word))]


# ---- what is added ---------------------------------------------------------------------------


def mixer_differs(target, folder, fault=same):
    """Where a mixer is not what it should be."""
    n = MEMBRANE_BITS
    g = graph(Mixer(n, target=target), folder, target, fault)
    f = Functions(["source[0]", "source[1]", *interleaved(("a", n), ("b", n), ("value", n))])
    a, b, value = (extended(f.vector(name, n), n + 1) for name in ("a", "b", "value"))
    want = chosen(f, [a, value, b, f.add(a, b)[: n + 1]], f.vector("source", 2))
    got = bits(f.of(g), "o")
    assert len(got) == n + 1
    return f.differ(got, want), f.bdd.false


@pytest.mark.parametrize("target", TARGETS)
def test_mixer(target, tmp_path):
    wrong, never = mixer_differs(target, tmp_path)
    assert wrong == never


@pytest.mark.parametrize("cell", [0, 9, MEMBRANE_BITS])
@pytest.mark.parametrize("bit", [0b11011, 0b10001, 32 + 0b11010, 32 + 0b01100])
def test_a_wrong_table_of_a_mixer_is_found(cell, bit, tmp_path):
    """Of both outputs: where a carry begins, and the sum's bits. The last cell's carry is unread.

    Inputs in a table's order: a, b, value, and the source's two bits.
    """
    fault = faults.table_bit("LUT6_2", "INIT", cell, bit)
    wrong, never = mixer_differs("xc7", tmp_path, fault)
    assert (wrong != never) == (bit >= 32 or cell < MEMBRANE_BITS)


# ---- what is kept ----------------------------------------------------------------------------


def kept_differs(target, folder, fault=same):
    """Where what is kept, or unit 1's operand, is not what it should be."""
    n = MEMBRANE_BITS
    g = graph(Kept(target=target), folder, target, fault)
    f = Functions(["mac[0]", "spike[0]", f"total[{n}]", *interleaved(("total", n), ("pixel", n))])
    total, pixel = f.vector("total", n + 1), f.vector("pixel", n)
    negative, beyond = total[n], f.bdd.apply("xor", total[n], total[n - 1])
    kept = [f.bdd.ite(beyond, ~negative, bit) for bit in total[: n - 1]] + [negative]
    kept[0] |= f.bdd.var("spike[0]")
    mac, got = f.bdd.var("mac[0]"), f.of(g)
    operand = [f.bdd.ite(mac, one, other) for one, other in zip(pixel, kept, strict=True)]
    wrong = f.differ(bits(got, "kept"), kept) | f.differ(bits(got, "operand"), operand)
    return wrong, f.bdd.false


@pytest.mark.parametrize("target", TARGETS)
def test_kept(target, tmp_path):
    wrong, never = kept_differs(target, tmp_path)
    assert wrong == never


@pytest.mark.parametrize(("cell", "bit"), [(0, 0b00010), (15, 0b11101), (7, 32 + 0b10110)])
def test_a_wrong_table_of_what_is_kept_is_found(cell, bit, tmp_path):
    fault = faults.table_bit("LUT6_2", "INIT", cell, bit)
    wrong, never = kept_differs("xc7", tmp_path, fault)
    assert wrong != never


# ---- the shift -------------------------------------------------------------------------------


def shift_differs(component, units, folder):
    """Where, one shift being open, x is not the unit's sum shifted by it and clipped."""
    g = graph(component, folder)
    index = (units - 1).bit_length()
    sums = [f"p__{u}[{k}]" for k in reversed(range(PRODUCT_BITS)) for u in range(units)]
    named = [*(f"unit[{k}]" for k in range(index)), *(f"shut[{k}]" for k in range(len(SHIFTS)))]
    f = Functions([*named, *sums])
    words = [f.vector(f"p__{u}", PRODUCT_BITS) for u in range(units)]
    p, wrong = chosen(f, words, f.vector("unit", index)), f.bdd.false
    got = bits(f.of(g), "x")
    for n, shift in enumerate(SHIFTS):
        alone = f.bdd.true
        for k, bit in enumerate(f.vector("shut", len(SHIFTS))):
            alone &= ~bit if k == n else bit
        word, negative = p[shift:], p[-1]
        beyond = f.differ(word[MEMBRANE_BITS - 1 : -1], [negative] * (len(word) - MEMBRANE_BITS))
        want = [f.bdd.ite(beyond, ~negative, bit) for bit in word[: MEMBRANE_BITS - 1]]
        wrong |= alone & f.differ(got, [*want, negative])
    return wrong, f.bdd.false


@pytest.mark.parametrize("units", [2, 4])
def test_shift(units, tmp_path):
    wrong, never = shift_differs(Shift(units), units, tmp_path)
    assert wrong == never


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("with m.If(self.shut[n]):", "with m.If(self.shut[n - 1]):"),
        ("shut[n + 1 :].all()", "shut[n:].all()"),
        ("len(head) - 1]", "len(head) - 2]"),
        ("Mux(beyond, ~negative", "Mux(beyond, negative"),
    ],
    ids=["another shift", "what it takes", "a bit less", "the other end"],
)
def test_a_wrong_shift_is_found(old, new, tmp_path):
    wrong_module = sources.faulty(shift_module, old, new)
    wrong, never = shift_differs(wrong_module.Shift(4), 4, tmp_path)
    assert wrong != never
