"""Expressions of single operations; what they compute is tested in test_model."""

import pytest

from hw.tools.looped.cells import (
    Piece,
    chosen,
    concatenated,
    extended,
    joined,
    literal,
    masked,
    number,
    picked,
)
from hw.tools.looped.netlist import Node


def test_numbers():
    assert literal(-1, 32) == "0xffffffffu"
    assert literal(-1, 64) == "0xffffffffffffffffull"
    assert masked("x", 32, 32) == "x"
    assert masked("x", 5, 32) == "(x & 0x1fu)"
    assert extended("x", 5, 32) == "((x ^ 0x10u) - 0x10u)"
    assert picked("a", "b", "s") == "(EVEN(s) ? b : a)"
    assert chosen("a", "b", "s") == "((a & ~-s) | (b & -s))"
    assert chosen("0x0u", "b", "s") == "(b & -s)"


def test_pieces_side_by_side():
    x, sign = Piece("x", 8, 2, 3), Piece("x", 8, 7, 1)
    assert joined([x], 32) == "((x >> 2) & 0x7u)"
    assert joined([(1, 2), x], 32) == "((((x >> 2) & 0x7u) << 2) | 0x1u)"
    assert joined([sign, sign, sign], 32) == "((-(x >> 7)) & 0x7u)"
    assert joined([Piece("y", 40, 0, 40)], 64) == "y"
    assert joined([], 32) == "0x0u"


def test_words():
    y = Piece("y", 40, 0, 40)
    assert concatenated([(5, 3), y], 2) == [
        "((u32((y & 0x1fffffffull)) << 3) | 0x5u)",
        "u32((y >> 29))",
    ]


def test_a_shift_by_more_than_a_number_has_gives_nothing():
    node = Node("cell", "c", 32, "$shl", {"A_SIGNED": 0})
    sizes = {"A": 32, "B": 6}

    def value(pin, bits, signed):
        return pin.lower()

    assert number(node, value, sizes.__getitem__) == "((a << (b & 31)) & -u32(b < 32))"
    sizes["B"] = 5
    assert number(node, value, sizes.__getitem__) == "(a << b)"


def test_an_operation_that_is_not_known_is_refused():
    node = Node("cell", "c", 1, "$div", {"A_SIGNED": 0})
    with pytest.raises(AssertionError, match="div"):
        number(node, lambda *_: "", lambda _: 1)


@pytest.mark.parametrize(
    ("kind", "sizes", "own", "text"),
    [
        ("$and", (9, 4), 4, "(a & b)"),
        ("$and", (9, 4), 3, "((a & b) & 0x7u)"),
        ("$or", (9, 4), 9, "(a | b)"),
        ("$or", (9, 4), 8, "((a | b) & 0xffu)"),
        ("$add", (9, 4), 10, "(a + b)"),
        ("$add", (9, 4), 9, "((a + b) & 0x1ffu)"),
        ("$mul", (9, 4), 13, "(a * b)"),
        ("$sub", (9, 4), 10, "((a - b) & 0x3ffu)"),
        ("$shr", (9, 4), 9, "(a >> b)"),
        ("$shr", (9, 4), 8, "((a >> b) & 0xffu)"),
        ("$shl", (9, 4), 24, "((a << b) & 0xffffffu)"),
    ],
)
def test_bits_that_cannot_be_are_not_cleared(kind, sizes, own, text):
    node, size = Node("cell", "c", own, kind, {"A_SIGNED": 0}), dict(zip("AB", sizes, strict=True))
    assert number(node, lambda pin, *_: pin.lower(), size.__getitem__) == text


def test_bits_of_a_sign_are_cleared():
    node = Node("cell", "c", 10, "$and", {"A_SIGNED": 1})
    assert number(node, lambda pin, *_: pin.lower(), {"A": 4, "B": 4}.get) == "((a & b) & 0x3ffu)"
