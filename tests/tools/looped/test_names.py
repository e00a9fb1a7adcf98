"""What the parts of a netlist are called."""

from hw.tools.looped.alike import Alike
from hw.tools.looped.layout import STEP
from hw.tools.looped.names import Names, argument, place_in
from hw.tools.looped.narrow import narrow
from hw.tools.looped.netlist import Node
from tests.tools.looped.design import netlist


def test_names(tmp_path):
    found = netlist(tmp_path)
    narrow(found)
    alike = Alike(found)
    names = Names(found, alike)
    things = [*alike.regs, *alike.stores, *found.cells]
    assert len({names.of(thing, "x") for thing in things}) == len(things)
    assert names.of(things[0], "y") == names.of(things[0], "x")
    assert argument(Node("input", "int", 1)) == "i_int"
    for store in alike.stores:  # nine copies, whose words have room for sixteen
        assert place_in(store, "at") == f"(at * {STEP}) + i"


def test_registers_in_rows_and_others(tmp_path):
    found = netlist(tmp_path)
    narrow(found)
    names = Names(found, Alike(found))
    a, b = (Node("reg", name, 4) for name in "ab")
    vector = names.alike.regs[0]
    names.layout.place = {a: 7, vector: 9}
    assert [names.register(of, a) for of in "rs"] == ["old[7]", "young[7]"]
    assert names.register("r", vector) == "(old + 9)"
    assert names.register("s", b) == f"s.{names.of(b, 'n')}"
