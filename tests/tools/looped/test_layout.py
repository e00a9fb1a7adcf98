"""Registers that stand in rows, and what resets set, are as they would be each by itself."""

import re

import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.core.pipe import delay
from hw.tools.export import rtlil_text
from hw.tools.looped.alike import Alike, Vector
from hw.tools.looped.layout import SLIDE, STEP, Layout, full
from hw.tools.looped.names import Names
from hw.tools.looped.narrow import narrow
from hw.tools.looped.netlist import Netlist, registers_named
from hw.tools.looped.order import late, ordered
from hw.tools.looped.write import Function
from hw.tools.yosys import run_yosys
from tests.tools.looped.beside import outcome

LINE = 19


class Lines(wiring.Component):
    """Rows of registers: copies, single ones, two of one source, and behind a memory."""

    def __init__(self):
        super().__init__({"a": In(13), "b": In(18), "mode": In(4), "o": Out(49)})

    def elaborate(self, platform):
        m = Module()
        line = [Signal(13, name=f"line_{n}", reset_less=True) for n in range(LINE)]
        m.d.sync += [
            to.eq(of) for to, of in zip(line, [self.a ^ line[-1][1:], *line], strict=False)
        ]
        row = [
            Signal(18, name=f"row{c}", init=3 * (c == "c"), reset_less=c < "d") for c in "abcdef"
        ]
        m.d.sync += [to.eq(of) for to, of in zip(row, [self.b, *row], strict=False)]
        other = Signal(18, reset_less=True)
        m.d.sync += other.eq(row[1])
        m.submodules.words = words = memory.Memory(shape=6, depth=8, init=[5, 9])
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            write.addr.eq(self.b[:3]), write.data.eq(self.a), write.en.eq(self.a[6]),
            read.addr.eq(self.b[3:6]), read.en.eq(self.mode[0]),
        ]  # fmt: skip
        late = delay(m, read.data, 3, name="late")
        settled = [Signal(9, name=f"settled{chr(97 + n)}", init=n) for n in range(4)]
        m.d.sync += [s.eq(s + self.mode + n) for n, s in enumerate(settled)]
        mixed = Cat(line[-1] ^ line[7], row[-1] ^ other, row[3] ^ Cat(late, late, late))
        m.d.comb += self.o.eq(mixed ^ (Cat(settled) << 13))
        return m


class Handing(wiring.Component):
    """What a part takes from the one before, computes with and hands on; ``kept``: and keeps."""

    def __init__(self, of, kept):
        self.of, self.kept = of, kept
        super().__init__({"a": In(18), "b": In(18), "o": Out(18), "sum": Out(18)})

    def elaborate(self, platform):
        m = Module()
        later = Signal(18, name="later", reset_less=True)
        held, twice = Signal(18, name="held"), Signal(18, name="twice", reset_less=True)
        m.d.sync += [
            later.eq(self.a),
            held.eq((held ^ self.a) + self.b),
            twice.eq(self.a + (not self.kept)),
        ]
        m.d.comb += [self.o.eq(later), self.sum.eq(held + twice + self.of)]
        return m


class Handed(wiring.Component):
    """Parts each of which hands on what it takes, a cycle later."""

    def __init__(self, kept):
        self.kept = kept
        super().__init__({"a": In(13), "b": In(18), "mode": In(4), "o": Out(49)})

    def elaborate(self, platform):
        m = Module()
        given = Signal(18)
        m.d.sync += given.eq(self.b ^ self.a ^ self.mode)
        taken, total = given, 0
        for n in range(LINE):
            m.submodules[f"part_{n}"] = part = Handing(n, self.kept)
            m.d.comb += [part.a.eq(taken), part.b.eq(self.b)]
            taken, total = part.o, total ^ (part.sum << (0, 15, 31)[n % 3])
        m.d.comb += self.o.eq(total)
        return m


def netlist(folder, design=None):
    text = registers_named(rtlil_text(design or Lines(), name="lines"))
    (folder / "lines.il").write_text(text, encoding="utf-8")
    steps = ["read_rtlil lines.il", "hierarchy -top lines", "proc", "flatten", "opt_clean"]
    run_yosys([*steps, "memory_collect", "write_json lines.json"], cwd=folder, name="lines")
    found = Netlist.read(folder / "lines.json", "lines")
    narrow(found)
    return found


def test_arrays_are_whole_vectors():
    assert [full(n) for n in (1, STEP, STEP + 1)] == [STEP, STEP, 2 * STEP]


def test_rows_are_found(tmp_path):
    found = netlist(tmp_path)
    alike = Alike(found)
    layout = Layout(found, alike)
    copies = [thing for thing in layout.place if isinstance(thing, Vector)]
    assert [vector.nodes[0].name for vector in copies] == ["line_1$ff"]  # what line_0 takes is made
    single = {node.name: at for node, at in layout.place.items() if not isinstance(node, Vector)}
    pairs = (("rowa", "rowb"), ("rowc", "rowd"), ("rowd", "rowe"), ("rowe", "rowf"))
    for before, after in pairs:
        assert single[f"{after}$ff"] == single[f"{before}$ff"] + 1
    behind = [single.get(f"{name}$ff") == single["rowb$ff"] + 1 for name in ("rowc", "other")]
    assert sum(behind) == 1  # of two that take its value
    places = [
        at + n for thing, at in layout.place.items() for n in range(getattr(thing, "count", 1))
    ]
    assert len(set(places)) == len(places)
    assert max(places) < layout.length
    first = [at for node, at in layout.place.items() if node not in layout.taken]
    assert not {at - 1 for at in first} & set(places), "a row begins right behind another"


def test_what_an_input_sets_is_apart(tmp_path):
    found = netlist(tmp_path)
    layout = Layout(found, Alike(found))
    ((which, regs),) = layout.resets.items()
    assert [run.node.name for run in which] == ["rst"]
    values = {reg.name: value for reg, value in regs}
    for n in range(4):
        assert values[f"settled{chr(97 + n)}$ff"] == n
    assert values["rowd$ff"] == 0
    assert "rowc$ff" not in values  # has an initial value, and no reset


def test_what_a_row_begins_with_is_where_the_row_stands(tmp_path):
    found = netlist(tmp_path, Handed(kept=False))
    alike = Alike(found)
    layout = Layout(found, alike)
    (vector,) = [v for v in layout.begun if v.count == LINE]
    row = layout.begun[vector]
    assert row.nodes[0].name == "part_0.later$ff"
    assert [spec[0].node for spec in vector.specs[1:]] == list(row.nodes[: LINE - 1])
    assert row.sources.specs[0] == vector.specs[0]
    late(found, alike)
    body = Function(Names(found, alike), ordered(found, alike), "s")
    text = "\n".join(body.text(body.registers()))
    assert re.search(rf"\(young \+ {layout.place[row]}\)\[i\]", text)


@pytest.mark.parametrize("kept", [False, True])
def test_what_is_handed_on_is_the_same(tmp_path, kept):
    status, said = outcome(Handed(kept), tmp_path)
    assert status == 0, said


def test_rows_do_the_same(tmp_path):
    assert SLIDE < 20000  # so rows go back to where they began
    status, said = outcome(Lines(), tmp_path)
    assert status == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [("young + 1", "young + 2"), ("= all[i]", "= all[i + 1]")])
def test_a_wrong_row_is_found(tmp_path, wrong):
    status, said = outcome(Lines(), tmp_path, wrong)
    assert status != 0
    assert "is not" in said
