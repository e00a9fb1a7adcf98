# amaranth: UnusedElaboratable=no
"""Parts of a lane whose form is made for LUTs equal what they are said to be, for all inputs."""

import pytest

from hw.arch.formats import MEMBRANE_BITS, PRODUCT_BITS, SHIFTS, STATE_BITS, STATE_SHIFTS
from hw.core import codes as codes_module
from hw.core import shift as shift_module
from hw.core.codes import PARTS
from hw.core.kept import Kept
from hw.core.mixer import Mixer
from hw.core.shift import Shift
from tests.proofs import faults, sources
from tests.proofs.bdd import Functions, bits, graph, interleaved
from tests.unit.lanes import code_place, leak_mode, shut

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


def where(f, **inputs):
    """Return where each input, given by name, is a pair (number of bits, value)."""
    condition = f.bdd.true
    for name, (width, value) in inputs.items():
        for k, bit in enumerate(f.vector(name, width)):
            condition &= bit if value >> k & 1 else ~bit
    return condition


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
        alone = where(f, shut=(len(SHIFTS), shut(n)))
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


# ---- codes in bytes --------------------------------------------------------------------------


def bytes_differ(target, folder, fault=same, module=codes_module):
    """Where a code that is read, or a byte to be written, is not what it should be.

    For every place of a code of every width, with what a lane is told of it.
    """
    g = graph(module.CodeBytes(distance=6, target=target), folder, target, fault)
    widths = {"bits": 2, "at": 3, "below": 4, "changed": 4, "shut": len(PARTS)}
    names = ["forget[0]", "drop[0]", "keep[0]"]
    names += [f"{name}[{k}]" for name, width in widths.items() for k in range(width)]
    f = Functions([*names, *interleaved(("code", 8), ("last", 8), ("word", 16))])
    got, word, code, last = f.of(g), f.vector("word", 16), f.vector("code", 8), f.vector("last", 8)
    read, byte_out, wrong = bits(got, "read"), bits(got, "o"), f.bdd.false
    drop, forget = f.bdd.var("drop[0]"), f.bdd.var("forget[0]")
    for n, width in enumerate(STATE_BITS):
        for place in range(16 // width):
            start = place * width
            told = where(f, bits=(2, n), at=(3, start // 2))
            wrong |= told & f.differ(read, extended(word[start : start + width], 8))
            if start >= 8:
                continue  # where it is written, a place in a byte
            ports = {k: v for part in code_place(place, width).values() for k, v in part.items()}
            told = where(
                f,
                bits=(2, n),
                shut=(8, ports["code_shut"]),
                changed=(4, ports["code_new"]),
                below=(4, ports["code_below"]),
            )
            at, old = f.bdd.var("at[2]"), [bit & ~forget for bit in word]
            want = [f.bdd.ite(at, high, low) for low, high in zip(old[:8], old[8:], strict=True)]
            want[:start] = last[:start]
            want[start : start + width] = [bit & ~drop for bit in code[:width]]
            wrong |= told & f.differ(byte_out, want)
    keep, pairs = f.bdd.var("keep[0]"), zip(byte_out, last, strict=True)
    after = [f.bdd.ite(keep, new, was) for new, was in pairs]
    return wrong | f.differ(bits(got, "last'"), after), f.bdd.false


@pytest.mark.parametrize("target", TARGETS)
def test_codes_in_bytes(target, tmp_path):
    wrong, never = bytes_differ(target, tmp_path)
    assert wrong == never


@pytest.mark.parametrize("cell", range(5))
def test_a_wrong_table_of_codes_in_bytes_is_found(cell, tmp_path):
    """The multiplexers' tables where the first word is taken, and has two ones, the other none."""
    fault = faults.table_bit("LUT6_2", "INIT", cell, 32 + 0b00110)
    wrong, never = bytes_differ("xc7", tmp_path, fault)
    assert wrong != never


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("with m.If(self.changed[n]):", "with m.If(self.changed[n - 1]):"),
        ("with m.If(self.forget):", "with m.If(0):"),
        ("self.code[2 * of : 2 * of + 2]", "self.code[2 * pair : 2 * pair + 2]"),
        ("Mux(self.below[n], last[part], kept)", "Mux(self.below[n], kept, last[part])"),
    ],
    ids=["another pair", "not forgotten", "another part", "the last above"],
)
def test_wrong_codes_in_bytes_are_found(old, new, tmp_path):
    wrong_module = sources.faulty(codes_module, old, new)
    wrong, never = bytes_differ("generic", tmp_path, module=wrong_module)
    assert wrong != never


# ---- what the leak leaves --------------------------------------------------------------------


def left_differs(target, folder, fault=same, module=codes_module):
    """Where, for one of the shifts, what is left is not the code shifted by it."""
    g = graph(module.Left(target=target), folder, target, fault)
    told = [f"{name}[{k}]" for name, width in (("shut", 4), ("above", 3)) for k in range(width)]
    f = Functions(["drop[0]", *told, *(f"code[{k}]" for k in range(8))])
    code = [bit & ~f.bdd.var("drop[0]") for bit in f.vector("code", 8)]
    got, wrong = bits(f.of(g), "v"), f.bdd.false
    for n, shift in enumerate(STATE_SHIFTS):
        mode = leak_mode(n)
        alone = where(f, shut=(4, mode["leak_shut"]), above=(3, mode["leak_above"]))
        want = extended([*[f.bdd.false] * shift, *code], len(got))
        wrong |= alone & f.differ(got, want)
    return wrong, f.bdd.false


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_left(target, tmp_path):
    wrong, never = left_differs(target, tmp_path)
    assert wrong == never


@pytest.mark.parametrize("cell", range(7))
def test_a_wrong_table_of_what_is_left_is_found(cell, tmp_path):
    fault = faults.table_bit("LUT6_2", "INIT", cell, 32)  # where all is 0
    wrong, never = left_differs("xc7", tmp_path, fault)
    assert wrong != never


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[*range(start, end)]]", "[[*range(start, end - 1)]]"),
        ("[[shift + k] for k", "[[shift + k - 1] for k"),
        ("with m.If(shut):", "with m.If(0):"),
    ],
    ids=["a sign less", "another place", "nothing shut"],
)
def test_a_wrong_way_to_what_is_left_is_found(old, new, tmp_path):
    wrong_module = sources.faulty(codes_module, old, new)
    wrong, never = left_differs("generic", tmp_path, module=wrong_module)
    assert wrong != never
