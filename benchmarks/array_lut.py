"""LUT cells of the systolic array alone, drain registers included, for each binary operation.

``python -m benchmarks.array_lut [--board NAME]``; the floor is 2.5 LUT cells (LUT1 to LUT6; a
LUT6_2 counts as one) per operation in the Arty A7-35T's configuration.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import boards
from hw.common.cli import command
from hw.core.array import SystolicArray
from hw.targets.xc7 import lut_cells
from hw.tools import export_rtlil, run_yosys
from hw.tools.netlist import Netlist

FLOOR = 2.5


def count(config, folder: Path) -> dict[str, int]:
    """Return the cells of the array by type."""
    export_rtlil(SystolicArray(config, target="xc7"), folder / "array.il")
    commands = [
        "read_rtlil array.il",
        "synth_xilinx -family xc7 -flatten -nodsp -noiopad -noclkbuf -top top",
        "write_json -noscopeinfo array.json",
    ]
    run_yosys(commands, cwd=folder, name="array")
    return Netlist.load(folder / "array.json").counts()


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the figures; 1 where the floor is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.array_lut", description=__doc__)
    parser.add_argument("--board", default="arty_a7")
    config = boards.get(parser.parse_args(argv).board).config
    with tempfile.TemporaryDirectory() as folder:
        counts = count(config, Path(folder))
    luts, ops = lut_cells(counts), config.peak
    print(counts)
    print(f"{luts} LUT cells for {ops} operations: {luts / ops:.3f} each (floor {FLOOR})")
    return int(luts / ops > FLOOR)


if __name__ == "__main__":
    sys.exit(main())
