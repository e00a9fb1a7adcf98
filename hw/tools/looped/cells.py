"""Yosys's word-wide operations as expressions of Verilog: of signals, and of numbers in a loop.

In a loop every value is a number of 32 or 64 bits whose upper bits are 0, so that a C++ compiler
finds the same operations on all copies side by side, and nothing that branches.
"""

from collections.abc import Callable
from typing import Any

from hw.tools.looped.netlist import Node, Spec, part, width

BINARY = {"$add": "+", "$sub": "-", "$mul": "*", "$and": "&", "$or": "|", "$xor": "^"}
COMPARE = {"$eq": "==", "$ne": "!=", "$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="}
SHIFT = {"$shl": "<<", "$shr": ">>"}
UNARY = {"$not": "~", "$neg": "-", "$pos": "+"}
REDUCE = {
    "$logic_not": "!",
    "$reduce_or": "|",
    "$reduce_bool": "|",
    "$reduce_and": "&",
    "$reduce_xor": "^",
}


def signal(node: Node, cat: Callable[[Spec], str]) -> str:
    """Return the expression of a cell's output; ``cat`` writes a signal."""
    kind, pins, params = node.type, node.pins, node.params

    def number(pin: str) -> str:
        return f"$signed({cat(pins[pin])})" if params["A_SIGNED"] else cat(pins[pin])

    if kind == "countones":
        return f"$countones({cat(pins['a'])})"
    if kind in BINARY or kind in COMPARE:
        return f"{number('A')} {(BINARY | COMPARE)[kind]} {number('B')}"
    if kind in SHIFT:
        assert kind == "$shl" or not params["A_SIGNED"]
        return f"{number('A')} {SHIFT[kind]} {cat(pins['B'])}"
    if kind in UNARY:
        return f"{UNARY[kind]}{number('A')}"
    if kind in REDUCE:
        return f"{REDUCE[kind]}{cat(pins['A'])}"
    if kind == "$mux":
        return f"{cat(pins['S'])} ? {cat(pins['B'])} : {cat(pins['A'])}"
    assert kind == "$pmux", kind
    out = cat(pins["A"])
    for n in range(params["S_WIDTH"]):
        choice = part(pins["B"], n * node.width, node.width)
        out = f"{cat(part(pins['S'], n, 1))} ? {cat(choice)} : ({out})"
    return out


def constant(value: int, bits: int) -> str:
    """Return a number of 32 or 64 bits."""
    return f"{bits}'h{value & (1 << bits) - 1:x}"


def masked(text: str, size: int, bits: int) -> str:
    """Return the low ``size`` bits of a number of ``bits``."""
    return text if size >= bits else f"({text} & {constant((1 << size) - 1, bits)})"


def chosen(zero: str, one: str, which: str) -> str:
    """Return ``which ? one : zero`` without a branch."""
    return f"(({zero} & ~(-({which}))) | ({one} & (-({which}))))"


def number(node: Node, value: Callable[..., str], size: Callable[[str], int]) -> str:
    """Return a cell's output as a number of 32 bits, or 64 where it has more than 32.

    ``value(pin, bits, signed)`` writes an operand extended to ``bits``; ``size`` tells its width.
    """
    kind, params, own = node.type, node.params, node.width
    bits = 32 if own <= 32 else 64
    if kind == "countones":
        return f"{bits}'($countones({value('a', _bits(size('a')), False)}))"
    if kind in BINARY or kind in COMPARE:
        return _pair(node, bits, value, size)
    if kind in SHIFT:
        assert kind == "$shl" or not params["A_SIGNED"]
        a = value("A", _bits(max(own, size("A"))), bool(params["A_SIGNED"]))
        text = masked(f"({a} {SHIFT[kind]} {value('B', 32, False)})", own, _bits(own))
        return text if own > 32 or size("A") <= 32 else f"32'({text})"
    if kind in UNARY:
        a = value("A", bits, bool(params["A_SIGNED"]))
        return masked(f"({UNARY[kind]}{a})", own, bits)
    if kind in REDUCE:
        return _reduced(node, bits, value, size)
    if kind == "$mux":
        return chosen(*(value(pin, bits, False) for pin in ("A", "B", "S")))
    assert kind == "$pmux", kind
    out, select = value("A", bits, False), value("S", _bits(size("S")), False)
    for n in range(params["S_WIDTH"]):
        one = f"(({select} >> {n}) & 1)"
        out = chosen(out, value(f"B{n}", bits, False), one if bits == 32 else f"64'{one}")
    return out


def _bits(size: int) -> int:
    return 32 if size <= 32 else 64


def _pair(node: Node, bits: int, value: Any, size: Any) -> str:
    kind, signed = node.type, bool(node.params["A_SIGNED"])
    wide = _bits(max(size("A"), size("B"), node.width if kind in BINARY else 0))
    a, b = (value(pin, wide, signed) for pin in "AB")
    if kind in BINARY:
        text = masked(f"({a} {BINARY[kind]} {b})", node.width, wide)
    else:
        if signed and kind not in ("$eq", "$ne"):  # as unsigned ones, from the least upwards
            a, b = (f"({x} ^ {constant(1 << (wide - 1), wide)})" for x in (a, b))
        text = f"({a} {COMPARE[kind]} {b})"
    return text if kind in BINARY and wide == bits else f"{bits}'{text}"


def _reduced(node: Node, bits: int, value: Any, size: Any) -> str:
    kind, own = node.type, size("A")
    a = value("A", _bits(own), False)
    if kind == "$reduce_xor":
        return f"{bits}'(^{a})"
    if kind == "$reduce_and":
        return f"{bits}'({a} == {constant((1 << own) - 1, _bits(own))})"
    return f"{bits}'({a} {'==' if kind == '$logic_not' else '!='} 0)"


def spelled(spec: Spec, ref: Callable[..., str]) -> str:
    """Return a signal as a concatenation, what is repeated as a replication."""
    if not width(spec):
        return "1'h0"
    parts: list[list[Any]] = []
    for run in reversed(spec):
        text = ref(run)
        if parts and parts[-1][0] == text:
            parts[-1][1] += 1
        else:
            parts.append([text, 1])
    words = [text if n == 1 else f"{{{n}{{{text}}}}}" for text, n in parts]
    return words[0] if len(spec) == 1 else f"{{{', '.join(words)}}}"
