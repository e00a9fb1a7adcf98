"""The Verilog module around a netlist that is C++: ports, and a call of its functions an edge."""

from collections.abc import Sequence

from hw.tools.looped.names import argument
from hw.tools.looped.netlist import Netlist, width


def _argument(bits: int) -> str:
    return "int unsigned" if bits <= 32 else f"bit [{bits - 1}:0]"


def wrapped(netlist: Netlist, name: str, groups: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return module ``name``; ``groups`` are (condition, outputs).

    Outputs of a group change where its condition, an expression that is constant while the
    simulator runs, is true. No output may depend on an input but by a register, and no port may
    have a name of the module's own: ``state``, ``wantedN``, ``o_OUTPUT``.
    """
    inputs = {node.name: node.width for node in netlist.inputs if node.name != "clk"}
    outputs = {name: width(spec) for name, spec in netlist.outputs.items()}
    own = {"state", *(f"wanted{n}" for n in range(len(groups))), *(f"o_{port}" for port in outputs)}
    assert own.isdisjoint({*inputs, *outputs}), own & {*inputs, *outputs}
    ports = ["input wire clk"]
    ports += [f"input wire [{bits - 1}:0] {port}" for port, bits in inputs.items()]
    ports += [f"output reg [{bits - 1}:0] {port}" for port, bits in outputs.items()]
    given = [
        f"input {'int' if node.width <= 32 else 'longint'} unsigned {argument(node)}"
        for node in netlist.inputs
        if node.name != "clk"
    ]
    lines = [
        f'import "DPI-C" function chandle {name}_made();',
        f'import "DPI-C" function void {name}_step({", ".join(["input chandle state", *given])});',
    ]
    begin = [f"state = {name}_made();"]
    casts = [f"{32 if bits <= 32 else 64}'({port})" for port, bits in inputs.items()]
    edge = [f"{name}_step({', '.join(['state', *casts])});"]
    for n, (condition, names) in enumerate(groups):
        taken = ["input chandle state"]
        taken += [f"output {_argument(outputs[port])} o_{port}" for port in names]
        lines.append(f'import "DPI-C" function void {name}_outputs{n}({", ".join(taken)});')
        lines += [f"{_argument(outputs[port])} o_{port};" for port in names]
        lines.append(f"bit wanted{n};")
        call = f"{name}_outputs{n}({', '.join(['state', *(f'o_{port}' for port in names)])});"
        moves = [f"{port} <= {outputs[port]}'(o_{port});" for port in names]
        begin += [f"wanted{n} = {condition};", call, *(move.replace("<=", "=") for move in moves)]
        edge += [f"if (wanted{n}) begin", f"  {call}", *(f"  {move}" for move in moves), "end"]
    return "\n".join(
        [
            f"module {name} (",
            *(f"  {port}," for port in ports[:-1]),
            f"  {ports[-1]}",
            ");",
            *(f"  {line}" for line in [*lines, "chandle state;", "initial begin"]),
            *(f"    {line}" for line in begin),
            "  end",
            "  always @(posedge clk) begin",
            *(f"    {line}" for line in edge),
            "  end",
            "endmodule",
            "",
        ]
    )
