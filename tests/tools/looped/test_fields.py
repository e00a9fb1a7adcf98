"""Fields of a register that are read each by itself are registers of their own."""

import sys

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.tools.export import rtlil_text
from hw.tools.looped.fields import fields
from hw.tools.looped.netlist import Netlist, part, registers_named, width
from hw.tools.yosys import run_yosys
from tests.tools.looped.beside import outcome


class Packed(wiring.Component):
    """Fields in a register, the next and a third, some of them read together."""

    def __init__(self):
        super().__init__({"a": In(13), "b": In(18), "mode": In(4), "o": Out(49)})

    def elaborate(self, platform):
        m = Module()
        first = Signal(35, init=0x2_1234_5678, reset_less=True)
        later = Signal(35, init=0x5_8765_4321, reset_less=True)
        third = Signal(44, reset_less=True)
        m.d.sync += [
            first.eq(Cat(self.a + 1, self.b ^ 5, self.mode)),
            later.eq(first),
            third.eq(Cat(later[10:], later[:10] & 0x3F7, self.a[:9])),
        ]
        together = later[13:35] + 1  # field b and mode
        m.d.comb += self.o.eq(Cat(third ^ later[:13], third[40:]) + (together << 20))
        return m


def netlist(folder):
    text = registers_named(rtlil_text(Packed(), name="packed"))
    (folder / "packed.il").write_text(text, encoding="utf-8")
    steps = ["read_rtlil packed.il", "hierarchy -top packed", "proc", "flatten", "opt_clean"]
    run_yosys([*steps, "memory_collect", "write_json packed.json"], cwd=folder, name="packed")
    return Netlist.read(folder / "packed.json", "packed")


def test_fields_are_taken_apart(tmp_path):
    found = netlist(tmp_path)
    before = sum(reg.width for reg in found.regs), [width(s) for s in found.outputs.values()]
    init = {reg.name: (reg.init, reg.width) for reg in found.regs}
    fields(found)
    assert before == (
        sum(reg.width for reg in found.regs),
        [width(spec) for spec in found.outputs.values()],
    )
    assert all(width(reg.pins["D"]) == reg.width for reg in found.regs)
    for name, (value, bits) in init.items():
        pieces = [reg for reg in found.regs if reg.name == name or reg.name.startswith(f"{name}:")]
        at = 0
        for piece in pieces:
            assert piece.init == value >> at & (1 << piece.width) - 1
            at += piece.width
        assert at == bits
    assert len(found.regs) > len(init)
    known = set(found.regs)
    assert all(run.node in known for reg in found.regs for run in reg.pins["D"]
               if run.node is not None and run.node.kind == "reg")  # fmt: skip


def test_fields_do_the_same(tmp_path):
    status, said = outcome(Packed(), tmp_path)
    assert status == 0, said


def test_a_wrong_piece_is_found(tmp_path, monkeypatch):
    module = sys.modules["hw.tools.looped.fields"]
    plain = part
    monkeypatch.setattr(module, "part", lambda spec, low, bits: plain(spec, max(low - 1, 0), bits))
    status, said = outcome(Packed(), tmp_path)
    assert status != 0
    assert "is not" in said
