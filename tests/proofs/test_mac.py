# amaranth: UnusedElaboratable=no
"""The lane's multipliers of cells equal the behavioural one: products merged, then induction.

No solver compares two multipliers of 18 bits bit by bit in good time. Brought to the same widths
they are the same cell of the netlist, which Yosys merges; what is left are registers and an adder.
"""

import pytest

from hw.core.mac import LaneMAC
from hw.tools.errors import ToolFailed
from hw.tools.export import rtlil_text
from hw.tools.yosys import run_yosys
from tests.proofs import faults
from tests.unit.netlist import models


def prove(folder, fault=lambda text: text, family="xc7"):
    """Raise ToolFailed where the two forms may differ after a first ``first``.

    By induction over a cycle: registers that agree go on agreeing, all of them being compared
    through the sum; and from any state they agree some cycles after a sum has started. Registers
    start as any number of zeros and ones, not as undefined bits: a and c may be kept for ever,
    and undefined bits would spread differently through the two forms.
    """
    for name in ("generic", family):
        text = rtlil_text(LaneMAC(target=name), name=name)
        text = fault(text) if name == family else text
        (folder / f"{name}.il").write_text(text, encoding="utf-8")
    flat = ["proc", "flatten", "opt -full", "delete t:$scopeinfo"]
    run_yosys(
        [
            "read_rtlil generic.il",
            "hierarchy -top generic",
            *flat,
            "setattr -mod -unset top generic",
            "write_rtlil g.il",
            "design -reset",
            *models(family, folder),
            f"read_rtlil {family}.il",
            f"hierarchy -top {family}",
            *flat,
            "wreduce",
            "opt -full",
            f"setattr -mod -unset top {family}",
            "write_rtlil x.il",
            "design -reset",
            "read_rtlil g.il",
            "read_rtlil x.il",
            "setattr -unset init w:*",
            f"miter -equiv -flatten -make_outputs generic {family} miter",
            "hierarchy -top miter",
            "wreduce",
            "opt -full",
            "setattr -unset init w:*",
            "opt_merge -share_all",
            "opt -full -share_all",
            "opt_merge -share_all",
            "simplemap t:$dff t:$dffe",
            "opt_merge -share_all",
            "opt -full",
            "opt_merge -share_all",
            "clean",
            "sat -tempinduct -tempinduct-inductonly -seq 1 -maxsteps 6 -prove trigger 0"
            " -verify miter",
            "sat -seq 6 -set-at 2 in_first 1 -prove-skip 4 -prove trigger 0 -verify miter",
        ],
        cwd=folder,
        name="mac",
    )


@pytest.mark.parametrize("family", ["xc7", "ecp5"])
def test_multipliers_are_equal(family, tmp_path):
    prove(tmp_path, family=family)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            r"{ 2'01 \first [0] 1'0 \adds [0] 1'0 \adds [0] }",
            r"{ 2'00 \first [0] 1'0 \adds [0] 1'0 \adds [0] }",
        ),
        (
            r"{ 2'01 \first [0] 1'0 \adds [0] 1'0 \adds [0] }",
            r"{ 2'01 \first [0] 4'0101 }",
        ),
        (r"connect \CARRYIN 1'0", r"connect \CARRYIN 1'1"),
        (r"parameter \CREG 1", r"parameter \CREG 0"),
        (r"connect \CEA2 \a_en [0]", r"connect \CEA2 1'1"),
        (r"connect \CEC \c_en [0]", r"connect \CEC 1'1"),
    ],
    ids=["no sum", "adds always", "carry in", "a register less", "a always", "c always"],
)
def test_a_wrong_multiplier_is_found(old, new, tmp_path):
    with pytest.raises(ToolFailed, match="proof did fail"):
        prove(tmp_path, faults.replaced(old, new))


@pytest.mark.parametrize(("cell", "half", "bit"), [(0, 0, 8), (9, 1, 5), (17, 1, 1)])
def test_a_wrong_table_of_a_carry_cell_is_found(cell, half, bit, tmp_path):
    with pytest.raises(ToolFailed, match="proof did fail"):
        prove(tmp_path, faults.table_bit("CCU2C", f"INIT{half}", cell, bit), "ecp5")
