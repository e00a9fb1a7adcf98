"""Nothing has more than 64 bits; that it computes the same is tested in test_model."""

import pytest

from hw.tools.looped.narrow import WIDEST, narrow
from hw.tools.looped.netlist import Node, Run, width
from tests.tools.looped.design import COPIES, netlist


def test_what_is_wide_is_split(tmp_path):
    found = netlist(tmp_path)
    bits = sum(reg.width for reg in found.regs), len(found.memories)
    wide = [reg for reg in found.regs if reg.width > WIDEST]
    assert len(wide) == COPIES
    starts = {reg.init for reg in wide}
    narrow(found)
    assert sum(reg.width for reg in found.regs) == bits[0]
    assert len(found.memories) == bits[1] + COPIES
    assert {piece.init for piece in found.regs if piece.name.endswith(".wide$ff:b")} == {
        start >> WIDEST for start in starts
    }
    for node in found.nodes:
        assert node.width <= WIDEST
        assert max(map(width, node.pins.values())) <= WIDEST, node.name
    for memory in found.memories:
        assert memory.width <= WIDEST
        assert all(width(pins["data"]) == memory.width for pins in memory.writes)
        assert all(word < 1 << memory.width for word in memory.init)


def test_an_operation_across_its_bits_is_refused(tmp_path):
    found = netlist(tmp_path)
    node = Node("cell", "c", 80, "$add", {"A_SIGNED": 0})
    node.pins = {pin: (Run(None, 1, 80),) for pin in "AB"}
    found.cells.append(node)
    with pytest.raises(AssertionError, match=r"c: a \$add of too many bits"):
        narrow(found)
