"""The module around a design that is C++."""

import pytest

from hw.tools.looped.wrap import wrapped
from tests.tools.looped.design import netlist


def test_an_edge_moves_the_design_and_then_its_outputs(tmp_path):
    text = wrapped(netlist(tmp_path), "row", [("1", ["o"])])
    assert text.startswith("module row (\n  input wire clk,")
    assert "input wire [17:0] b," in text
    assert "output reg [48:0] o\n);" in text
    edge = text[text.index("always @(posedge clk)") :]
    assert edge.index("row_step(state, ") < edge.index("row_outputs0(state, o_o);")
    assert "o <= 49'(o_o);" in edge
    assert "32'(rst)" in edge
    assert "clk)," not in edge


def test_outputs_that_are_seldom_wanted_have_a_condition(tmp_path):
    text = wrapped(netlist(tmp_path), "row", [("1", []), ('$test$plusargs("log=")', ["o"])])
    assert 'wanted1 = $test$plusargs("log=");' in text
    edge = text[text.index("always @(posedge clk)") :]
    assert edge.index("if (wanted1) begin") < edge.index("row_outputs1(state, o_o);")


@pytest.mark.parametrize("name", ["state", "wanted0", "o_o"])
def test_a_port_of_a_name_that_the_module_has_is_refused(tmp_path, name):
    made = netlist(tmp_path)
    made.inputs[-1].name = name
    with pytest.raises(AssertionError, match=name):
        wrapped(made, "row", [("1", ["o"])])
