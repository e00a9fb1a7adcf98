"""Check that a 7-series netlist holds only what the open flow gets right.

``python -m hw.tools.check_xc7 NETLIST.json`` prints cells and offences. The rules are the faults
known of nextpnr-xilinx up to 0.9.6 and of himbaechel, less those that the router in use, if one is
here, is known to be without (``hw.tools.nextpnr_xc7``); without one, a design which passes is safe
with all.
"""

import argparse
import collections
import sys
from collections.abc import Sequence, Set

from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from hw.tools import reset_xc7
from hw.tools.errors import ToolchainNotFound
from hw.tools.fasm_xc7 import TIED
from hw.tools.netlist import Cell, Netlist
from hw.tools.nextpnr_xc7 import RIGHT_FROM, Router, router

#: Cells that every router packs; those of `RIGHT_FROM` some do.
PACKABLE = frozenset(
    """
    LUT1 LUT2 LUT3 LUT4 LUT5 LUT6 LUT6_2 INV MUXF7 MUXF8 CARRY4 FDRE FDSE FDCE FDPE
    SRL16E SRLC32E RAM32M RAM64M RAM32X1D RAM64X1D RAM128X1D RAMB18E1 RAMB36E1 DSP48E1 GND VCC
    IBUF OBUF OBUFT IOBUF BUFG BUFGCTRL BUFGCE
    PLLE2_BASE PLLE2_ADV MMCME2_BASE MMCME2_ADV STARTUPE2
    """.split()
)
HALF_BUFFERS = frozenset({"BUFH", "BUFHCE"})  #: Packed by nextpnr-xilinx alone.
LUT_RAM_INIT = ("INIT", "INIT_A", "INIT_B", "INIT_C", "INIT_D")
WIDTHS = ("READ_WIDTH_A", "READ_WIDTH_B", "WRITE_WIDTH_A", "WRITE_WIDTH_B")


def _parity_used(cell: Cell) -> bool:
    if any(set(str(v)) & {"0", "1"} for k, v in cell.parameters.items() if k[:6] == "INITP_"):
        return True
    pins = cell.connections.get("DIPADIP", []) + cell.connections.get("DIPBDIP", [])
    return any(isinstance(bit, int) for bit in pins)


def _packed(kind: str, used: Router | None) -> bool:
    if kind in HALF_BUFFERS:
        return used is not None and not used.himbaechel
    return kind in PACKABLE or (kind in RIGHT_FROM and used is not None and used.right(kind))


def _faults(cell: Cell, unsettled: Set[str], used: Router | None) -> list[str]:
    """Return what is wrong with one cell, as sentences that do not name it."""
    kind = cell.type
    if kind == "$scopeinfo":
        return ["$scopeinfo cell left in: write the netlist with write_json -noscopeinfo"]
    if kind.startswith("$"):
        return [f"unmapped cell {kind}"]
    if not _packed(kind, used):
        return [f"{kind}: nextpnr cannot pack this cell{_since(kind)}"]
    out = []
    if kind == "SRLC32E" and cell.connections.get("Q31"):
        out.append("SRLC32E with its cascade output in use: wired wrongly; keep delays up to 32")
    widths = {cell.number(w) for w in WIDTHS}
    widest = {"RAMB18E1": 36, "RAMB36E1": 72}.get(kind)
    if widest in widths and not (used and used.right("wide")):
        out.append(
            f"{kind} in {widest}-bit simple dual port mode: the other port's width is left out, "
            f"contents corrupted{_since('wide')}"
        )
    odd = kind == "RAMB36E1" and (1 in widths or (9 in widths and _parity_used(cell)))
    if odd and not (used and used.right("parity")):
        lost = "half of its words lost" if 1 in widths else "parity bits lost"
        out.append(f"RAMB36E1 with a port of 1 or 9 bits: {lost}{_since('parity')}; use 1024 x 36")
    if kind == "DSP48E1" and cell.text("USE_SIMD") not in ("", "ONE48"):
        simd = cell.text("USE_SIMD")
        out.append(f"DSP48E1 with its adder cut (USE_SIMD {simd}): wrong settings; use ONE48")
    if kind == "DSP48E1" and (pins := _untied(cell)):
        out.append(f"DSP48E1 with other than 0 at {', '.join(pins)}: no wire leads there; tie them")
    if kind == "STARTUPE2" and cell.connections.get("USRCCLKTS") in (["0"], ["1"], ["x"]):
        out.append(
            "STARTUPE2 with a constant at USRCCLKTS: left away, and the pin's clock with it; drive "
            "it by a register"
        )
    if kind.startswith("RAM") and not kind.startswith("RAMB"):
        if any("1" in cell.text(name) for name in LUT_RAM_INIT):
            out.append(f"{kind} with initial contents: lost; use block RAM (ram_style)")
    if kind.startswith("FD") and cell.text("INIT") == "1" and cell.name in unsettled:
        out.append(f"{kind} that is 1 only by its power-up value: lost; drive it by reset")
    return out


def _untied(cell: Cell) -> list[str]:
    """Pins of a DSP48E1 that only tie-offs reach, and that are something else than 0."""
    return [
        f"{port}[{n}]"
        for port, n in TIED
        if n < len(bits := cell.connections.get(port, [])) and bits[n] not in ("0", "x")
    ]


def _since(fault: str) -> str:
    version = RIGHT_FROM.get(fault)
    return f" (right in nextpnr-xilinx {'.'.join(map(str, version))} and newer)" if version else ""


def router_here() -> Router | None:
    """Return the router in use, or None where none is installed."""
    try:
        return router()
    except ToolchainNotFound:
        return None


def check(
    netlist: Netlist, resets: dict[str, int] | None = None, used: Router | None = None
) -> list[str]:
    """Return the offences of a netlist, each with its number of cells and one of them by name.

    ``resets`` gives nets by name with their values in reset; flip-flops that reset sets to 1 are
    then no offence. What the router ``used`` gets right is none; without it every fault known is.
    """
    ones = any(c.type.startswith("FD") and c.text("INIT") == "1" for c in netlist.cells)
    unsettled = reset_xc7.unsettled(netlist, resets or {}) if ones else set()
    found: dict[str, list[str]] = collections.defaultdict(list)
    for cell in netlist.cells:
        for fault in _faults(cell, unsettled, used):
            found[fault].append(cell.name)
    return [f"{fault} ({len(cells)} x, such as {cells[0]})" for fault, cells in found.items()]


def refuse_offences(
    netlist: Netlist,
    path: object,
    resets: dict[str, int] | None = None,
    used: Router | None = None,
) -> None:
    """Raise SpikeloomError where the netlist has offences (`check`), listing all of them."""
    if offences := check(netlist, resets, used):
        lines = "\n".join(f"  {o}" for o in offences)
        who = used.title if used else "the open 7-series flow"
        raise SpikeloomError(f"{path}: {who} would get this wrong:\n{lines}")


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Print counts and offences of the netlists named; 1 where there are offences."""
    parser = argparse.ArgumentParser(
        prog=prog("hw.tools.check_xc7"),
        description="Check that 7-series netlists hold only what the open flow gets right.",
    )
    parser.add_argument("netlists", metavar="NETLIST.json", nargs="+")
    bad, used = 0, router_here()
    for path in parser.parse_args(argv).netlists:
        try:
            netlist = Netlist.load(path)
        except OSError as e:
            raise SpikeloomError(
                f"{path}: cannot be read ({e.strerror}); give a netlist that Yosys wrote as JSON"
            ) from None
        print(path, netlist.counts())
        for offence in check(netlist, used=used):
            bad = 1
            print(f"  {offence}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
