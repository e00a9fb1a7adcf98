"""Copies are found, and only what is alike is put together."""

from hw.tools.looped.alike import Alike, Vector, operands
from hw.tools.looped.narrow import narrow
from hw.tools.looped.netlist import Netlist, Node, Run
from tests.tools.looped import design
from tests.tools.looped.design import COPIES


def netlist(folder):
    """The netlist of a row, in numbers of C++."""
    found = design.netlist(folder)
    narrow(found)
    return found


def test_copies_are_found(tmp_path):
    found = netlist(tmp_path)
    alike = Alike(found)
    other = {reg for vector in alike.regs for reg in vector.nodes} ^ set(found.regs)
    assert [reg.name for reg in other] == ["part_3.b$ff"]  # what it takes is made differently
    assert [len(store.memories) for store in alike.stores] == [COPIES, COPIES]
    for vector in alike.regs:
        copies = [node.copy for node in vector.nodes]
        assert copies == [f"part_{n}" for n in range(COPIES) if n != 3 or vector.count == COPIES]
    cells = [vector for vector in alike.vectors if vector.like is not None]
    for vector in cells:
        assert len({(n.type, n.width, *sorted(n.params.items())) for n in vector.nodes}) == 1
    assert len(cells) > 40


def test_lines_of_several_lengths_are_no_copies():
    def line(n, length, of):
        regs = [Node("reg", f"line_{n}_{k}$ff", 5) for k in range(length)]
        for reg, node in zip(regs, [of, *regs], strict=False):
            reg.pins = {"D": (Run(node, 0, 5),)}
        return regs

    given = [Node("input", f"x{n}", 5) for n in range(6)]
    read = Node("cell", "read", 5, "$or")

    def arrays(lengths, *more):
        found = Netlist({"ports": {}, "netnames": {}, "cells": {}})
        found.inputs, found.cells = given, [read]
        lines = [line(n, length, given[n]) for n, length in enumerate(lengths)]
        found.regs = [reg for regs in lines for reg in regs]
        read.pins = {
            str(n): (Run(reg, 0, 5),)
            for n, reg in enumerate([*(regs[-1] for regs in lines), *(found.regs if more else ())])
        }
        return [vector.count for vector in Alike(found).regs]

    assert arrays([2, 3, 4, 5, 6]) == []
    assert arrays([12]) == [12]  # each after the one before
    assert arrays([2, 3, 4, 5, 6], "each is read") == [20]


def test_fewer_copies_are_left_alone(tmp_path):
    alike = Alike(netlist(tmp_path), least=COPIES + 1)
    assert not [*alike.regs, *alike.stores, *alike.vectors]


def test_nothing_is_read_before_it_is_computed(tmp_path):
    alike = Alike(netlist(tmp_path))
    for vector in alike.vectors:
        for operand in operands(vector):
            if isinstance(operand, Vector) and not operand.settled:
                assert alike.level(operand) <= alike.level(vector)
                if operand.kind != vector.kind:
                    assert alike.level(operand) < alike.level(vector)


def test_the_same_signals_are_gathered_once(tmp_path):
    alike = Alike(netlist(tmp_path))
    nodes = [Node("input", f"x{n}", 4) for n in range(COPIES)]
    twice = alike.operand([(Run(node, n % 2, 1),) * 2 for n, node in enumerate(nodes)])
    assert isinstance(twice, Vector)
    (one, *_), (other, *_) = twice.pieces
    assert isinstance(one, Vector)
    assert one.op == "gather"
    assert one is other
