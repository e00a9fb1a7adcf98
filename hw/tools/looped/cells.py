"""Yosys's word-wide operations as expressions of C++.

Every value is a number of 32 or 64 bits (``u32``, ``u64``) whose upper bits are 0. Nothing here
branches, so that a compiler turns the same expression over all copies into vector instructions.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from hw.tools.looped.netlist import Node, bits_of

BINARY = {"$add": "+", "$sub": "-", "$mul": "*", "$and": "&", "$or": "|", "$xor": "^"}
COMPARE = {"$eq": "==", "$ne": "!=", "$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="}
SHIFT = {"$shl": "<<", "$shr": ">>"}
UNARY = {"$not": "~", "$neg": "-", "$pos": "+"}
REDUCE = {"$logic_not", "$reduce_or", "$reduce_bool", "$reduce_and", "$reduce_xor"}


class Piece(NamedTuple):
    """Bits ``low`` to ``low + width - 1`` of a number of ``size`` bits that counts, ``text``."""

    text: str
    size: int
    low: int
    width: int


Value = Callable[[str, int, bool], str]  #: A pin, extended to 32 or 64 bits, signed or not.
Choose = Callable[[str, str, str], str]  #: `picked` or `chosen`.
Size = Callable[[str], int]  #: Width of a pin.


def literal(value: int, bits: int) -> str:
    """Return a constant of 32 or 64 bits."""
    return f"0x{value & (1 << bits) - 1:x}{'u' if bits == 32 else 'ull'}"


def cast(text: str, have: int, bits: int) -> str:
    """Return a number of ``have`` bits as one of ``bits``."""
    return text if have == bits else f"u{bits}({text})"


def masked(text: str, size: int, bits: int) -> str:
    """Return the low ``size`` bits of a number of ``bits``."""
    return text if size >= bits else f"({text} & {literal((1 << size) - 1, bits)})"


def fitted(text: str, most: int, size: int, bits: int) -> str:
    """Return the low ``size`` bits of a number of ``bits`` of which only ``most`` may be 1."""
    return text if most <= size else masked(text, size, bits)


def extended(text: str, size: int, bits: int) -> str:
    """Return a number of ``bits`` whose low ``size`` bits are signed, with its sign above them."""
    top = literal(1 << (size - 1), bits)
    return text if size >= bits else f"(({text} ^ {top}) - {top})"


def picked(zero: str, one: str, which: str) -> str:
    """Return ``one`` where ``which``, a bit, is 1, else ``zero``."""
    return f"(EVEN({which}) ? {one} : {zero})"


def chosen(zero: str, one: str, which: str) -> str:
    """Return ``one`` where ``which``, a bit, is 1, else ``zero``: without a branch."""
    if literal(0, 32) == zero or literal(0, 64) == zero:
        return f"({one} & -{which})"
    return f"(({zero} & ~-{which}) | ({one} & -{which}))"


def joined(pieces: Iterable[Piece | tuple[int, int]], bits: int) -> str:
    """Return pieces side by side, lowest first; a constant is (value, width)."""
    fixed, at, parts = 0, 0, []
    runs: list[tuple[Piece, int, int]] = []  # piece, place, how often in a row
    for piece in pieces:
        if not isinstance(piece, Piece):
            fixed |= piece[0] << at
            at += piece[1]
            continue
        if runs and piece.width == 1 and runs[-1][0] == piece and sum(runs[-1][1:]) == at:
            runs[-1] = piece, runs[-1][1], runs[-1][2] + 1
        else:
            runs.append((piece, at, 1))
        at += piece.width
    for (text, size, low, width), place, times in runs:
        have = bits_of(size)
        if low:
            text = f"({text} >> {low})"
        if low + width < size:
            text = masked(text, width, have)
        text = cast(text, have, bits)
        if times > 1:
            text = masked(f"(-{text})", times, bits)
        parts.append(f"({text} << {place})" if place else text)
    if fixed or not parts:
        parts.append(literal(fixed, bits))
    return parts[0] if len(parts) == 1 else f"({' | '.join(parts)})"


def number(node: Node, value: Value, size: Size, choose: Choose = chosen) -> str:
    """Return a cell's output as a number of 32 bits, or 64 where it has more than 32."""
    kind, own = node.type, node.width
    bits = bits_of(own)
    if kind == "countones":
        wide = bits_of(size("a"))
        call = "__builtin_popcount" + ("ll" if wide == 64 else "")
        return f"u{bits}({call}({value('a', wide, False)}))"
    if kind in BINARY or kind in COMPARE:
        return _pair(node, value, size)
    if kind in SHIFT:
        return _shift(node, value, size)
    if kind in UNARY:
        a = value("A", bits, bool(node.params["A_SIGNED"]))
        return masked(f"({UNARY[kind]}{a})", own, bits)
    if kind in REDUCE:
        return _reduced(node, value, size)
    if kind == "$mux":
        return choose(value("A", bits, False), value("B", bits, False), value("S", bits, False))
    assert kind == "$pmux", f"{node.name} is a {kind}"
    out = value("A", bits, False)
    for n in range(node.params["S_WIDTH"]):
        out = choose(out, value(f"B{n}", bits, False), value(f"S{n}", bits, False))
    return out


def _most(kind: str, a: int, b: int) -> int:
    """Return how many bits an operation on numbers of ``a`` and ``b`` bits may have."""
    if kind == "$and":
        return min(a, b)
    if kind in ("$or", "$xor"):
        return max(a, b)
    return {"$add": max(a, b) + 1, "$mul": a + b}.get(kind, 64)


def _pair(node: Node, value: Value, size: Size) -> str:
    kind, bits, signed = node.type, bits_of(node.width), bool(node.params["A_SIGNED"])
    wide = bits_of(max(size("A"), size("B"), node.width if kind in BINARY else 0))
    a, b = (value(pin, wide, signed) for pin in "AB")
    if kind in BINARY:
        most = wide if signed else _most(kind, size("A"), size("B"))
        return cast(fitted(f"({a} {BINARY[kind]} {b})", most, node.width, wide), wide, bits)
    if signed and kind not in ("$eq", "$ne"):
        a, b = f"i{wide}({a})", f"i{wide}({b})"
    return f"u{bits}({a} {COMPARE[kind]} {b})"


def _shift(node: Node, value: Value, size: Size) -> str:
    kind, own = node.type, node.width
    assert kind == "$shl" or not node.params["A_SIGNED"], node.name
    wide = bits_of(max(own, size("A")))
    a, b = value("A", wide, bool(node.params["A_SIGNED"])), value("B", 32, False)
    text = f"({a} {SHIFT[kind]} {b})"
    if (1 << min(size("B"), 32)) > wide:  # C++ says nothing of shifts by as much as that
        some = f"({a} {SHIFT[kind]} ({b} & {wide - 1}))"
        text = chosen(literal(0, wide), some, f"u{wide}({b} < {wide})")
    most = size("A") if kind == "$shr" else 64
    return cast(fitted(text, most, own, wide), wide, bits_of(own))


def _reduced(node: Node, value: Value, size: Size) -> str:
    kind, own, bits = node.type, size("A"), bits_of(node.width)
    wide = bits_of(own)
    a = value("A", wide, False)
    if kind == "$reduce_xor":
        return f"u{bits}(__builtin_parity{'ll' if wide == 64 else ''}({a}))"
    if kind == "$reduce_and":
        return f"u{bits}({a} == {literal((1 << own) - 1, wide)})"
    return f"u{bits}({a} {'==' if kind == '$logic_not' else '!='} 0)"


def concatenated(pieces: Sequence[Piece | tuple[int, int]], words: int) -> list[str]:
    """Return pieces side by side as ``words`` numbers of 32 bits, lowest first."""
    out: list[list[Piece | tuple[int, int]]] = [[] for _ in range(words)]
    at = 0
    for piece in pieces:
        done, width = 0, piece.width if isinstance(piece, Piece) else piece[1]
        while done < width:
            take = min(width - done, 32 - at % 32)
            if isinstance(piece, Piece):
                out[at // 32].append(piece._replace(low=piece.low + done, width=take))
            else:
                out[at // 32].append((piece[0] >> done & (1 << take) - 1, take))
            done, at = done + take, at + take
    return [joined(word, 32) for word in out]
