"""What stands behind a branch is what nothing else reads, and does the same there."""

import pytest
from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.tools.export import rtlil_text
from hw.tools.looped.alike import Alike
from hw.tools.looped.branches import branches
from hw.tools.looped.narrow import narrow
from hw.tools.looped.netlist import Netlist, registers_named
from hw.tools.looped.order import ordered
from hw.tools.yosys import run_yosys
from tests.tools.looped.beside import outcome


class Choices(wiring.Component):
    """Choices one within the other, of cells of their own and shared ones, and by each other."""

    def __init__(self):
        super().__init__({"a": In(13), "b": In(18), "mode": In(4), "o": Out(49)})

    def elaborate(self, platform):
        m = Module()
        a, b, held = Signal(13), Signal(18), Signal(18)
        first, second, third, cased = Signal(18), Signal(18), Signal(18), Signal(18)
        seldom, shared = Signal(), Signal(18)
        m.d.sync += [a.eq(self.a), b.eq(self.b)]
        m.d.comb += [seldom.eq(self.mode[0] & (a[:2] == 3)), shared.eq((b ^ 9) + a)]
        with m.If(seldom):
            m.d.sync += held.eq((held * 5) ^ (b - a) ^ shared)
            with m.If(b[3]):
                m.d.sync += held.eq(held + (a * b))
        with m.Switch(self.mode[1:]):
            for n in range(5):
                with m.Case(n):
                    m.d.sync += cased.eq(((cased + n) * (a ^ n)) ^ b)
        m.d.comb += first.eq(Mux(seldom, (a + 3) ^ (b * 3), b))
        m.d.comb += second.eq(Mux(seldom, ((first ^ 5) * 3) + shared, a))
        m.d.comb += third.eq(Mux(seldom, held, (first * 7) ^ a))
        mixed = Cat(held ^ cased, second, third) ^ Cat(b, first, shared, a)
        m.d.sync += self.o.eq(mixed ^ (self.o >> 5))
        return m


def found(folder):
    """Branches, and what reads a cell: node and pin."""
    text = registers_named(rtlil_text(Choices(), name="choices"))
    (folder / "choices.il").write_text(text, encoding="utf-8")
    steps = ["read_rtlil choices.il", "hierarchy -top choices", "proc", "flatten", "opt_clean"]
    run_yosys([*steps, "write_json choices.json"], cwd=folder, name="choices")
    netlist = Netlist.read(folder / "choices.json", "choices")
    narrow(netlist)
    alike = Alike(netlist)
    order = ordered(netlist, alike)
    readers = {}
    for node in netlist.nodes:
        for pin, spec in node.pins.items():
            for run in spec:
                readers.setdefault(run.node, set()).add((node, pin))
    return netlist, alike, order, branches(netlist, alike, order), readers


def test_only_what_a_choice_asks_for_is_behind_its_branch(tmp_path):
    netlist, _, _, behind, readers = found(tmp_path)
    assert len(set(behind.values())) >= 5
    for node, branch in behind.items():
        assert node in branch.body
        if node in branch.choices:
            assert node.pins["S"] == branch.which
        for reader, pin in readers[node] if node in branch.cells else ():
            asked = reader.pins.get(pin.replace("B", "S")) == branch.which
            assert behind.get(reader) is branch or (asked and pin.startswith("B"))
            assert (node in branch.inner) <= (behind.get(reader) is branch)
    shared = {node for node, by in readers.items() if len({reader for reader, _ in by}) > 4}
    assert not shared & behind.keys()
    assert not {node for node in behind if node not in netlist.cells}


def test_branches_stand_after_what_they_need(tmp_path):
    netlist, alike, order, behind, _ = found(tmp_path)
    things = ordered(netlist, alike, behind)
    assert {behind.get(node, node) for node in order} == set(things)
    place = {thing: n for n, thing in enumerate(things)}
    for branch in set(behind.values()):
        for node in branch.inputs():
            assert node.settled or place[behind.get(node, node)] < place[branch], node.name


def test_few_cells_are_worth_no_branch(tmp_path):
    netlist, alike, order, _, _ = found(tmp_path)
    assert not branches(netlist, alike, order, least=99)


def test_branches_do_the_same(tmp_path):
    status, said = outcome(Choices(), tmp_path)
    assert status == 0, said


@pytest.mark.slow
def test_a_wrong_branch_is_found(tmp_path):
    status, said = outcome(
        Choices(), tmp_path, ("if (__builtin_expect(n", "if (__builtin_expect(!n")
    )
    assert status != 0
    assert "is not" in said
