"""Expressions of single operations; what they compute is tested in test_write."""

import pytest

from hw.tools.looped.cells import chosen, constant, masked, signal, spelled
from hw.tools.looped.netlist import Node, Run


def test_numbers():
    assert constant(-1, 32) == "32'hffffffff"
    assert masked("x", 32, 32) == "x"
    assert masked("x", 5, 32) == "(x & 32'h1f)"
    assert chosen("a", "b", "s") == "((a & ~(-(s))) | (b & (-(s))))"


def test_signals():
    node = Node("input", "x", 8)
    names = {node: "x"}

    def ref(run):
        return f"{names[run.node]}[{run.low}]" if run.node else f"{run.width}'h{run.low:x}"

    assert spelled((), ref) == "1'h0"
    assert spelled((Run(node, 1, 1), Run(node, 7, 1), Run(node, 7, 1)), ref) == "{{2{x[7]}}, x[1]}"


def test_an_operation_that_is_not_known_is_refused():
    node = Node("cell", "c", 1, "$div", {"A_SIGNED": 0})
    with pytest.raises(AssertionError, match="div"):
        signal(node, str)
