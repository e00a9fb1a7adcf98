"""Cores for the room of an Arty A7-35T: ``python -m benchmarks.candidates [--synthesise]``.

For each candidate its DSPs, with ``--synthesise`` (minutes each) LUTs and block RAM of the whole
top, and the cycles of the shipped networks by forecast, which holds for every core. Memories are
as large in bits as those of the board's core, whatever the number and width of banks.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import boards
import hw.targets
import sw
from hw.arch import Config, parts
from hw.build import board_top
from hw.build.job import board_design
from hw.common.cli import command
from hw.common.errors import SpikeloomError
from hw.common.files import write
from hw.tools import yosys
from hw.tools.netlist import Netlist

BOARD = boards.get("arty_a7")
NETWORKS = ("mnist-bestformer", "mnist-qsnn", "mnist-tiny", "digits", "digits-qsnn")
#: What differs from the board's core; all are as deep in bits.
CANDIDATES: dict[str, Config] = {
    "the board's": BOARD.config,
    "two pixels": dataclasses.replace(BOARD.config, pixels=2),
    "W 64": dataclasses.replace(BOARD.config, width=64, row_depth=1024, col_depth=512),
    "R 8, two pixels": dataclasses.replace(BOARD.config, rows=8, pixels=2, row_depth=1024),
    "C 32, one pixel": dataclasses.replace(
        BOARD.config, rows=8, cols=32, pixels=1, means=0, row_depth=1024, col_depth=512,
        res_depth=512,
    ),
    "C 8": dataclasses.replace(BOARD.config, cols=8, col_depth=2048, res_depth=2048),
}  # fmt: skip


def cycles(network: Any, config: Config) -> str:
    """Return the forecast of a network on a core, if it has room for it."""
    try:
        return f"{network.compile(config).cycles}"
    except SpikeloomError:
        return "no room"


def resources(config: Config, folder: Path) -> dict[str, int | float]:
    """Return what the whole top with a core takes of the part."""
    board = dataclasses.replace(BOARD, config=config)
    target = hw.targets.of(board)
    made = board_top.elaborate(board, board_design(board, None))
    write(folder / "top.il", made.rtlil)
    yosys.run_yosys(target.synthesis("top.il", "top.json", "top.stat"), cwd=folder, name="synth")
    target.finish(folder / "top.json")
    return target.resources(Netlist.load(folder / "top.json").counts())


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.candidates", description=__doc__)
    parser.add_argument("--synthesise", action="store_true", help="count LUTs, minutes each")
    parser.add_argument("--only", action="append", choices=[*CANDIDATES], help="may be repeated")
    args = parser.parse_args(argv)
    networks = {name: sw.load(name).lower() for name in NETWORKS}
    most = BOARD.resources
    print(f"{BOARD.title}: {most['lut']} LUTs, {most['dsp']} DSPs, {most['bram36']} RAMB36")
    print(f"{'':16}{'LUT':>7}{'DSP':>5}{'RAMB36':>8}  " + "".join(f"{n:>18}" for n in NETWORKS))
    for name in args.only or CANDIDATES:
        config = CANDIDATES[name]
        taken: dict[str, int | float] = {}
        if args.synthesise:
            with tempfile.TemporaryDirectory() as folder:
                taken = resources(config, Path(folder))
        dsps = sum(parts.dsps(config, "xc7").values())
        found = "".join(f"{cycles(network, config):>18}" for network in networks.values())
        print(
            f"{name:16}{taken.get('lut', '-'):>7}{dsps:>5}{taken.get('bram36', '-'):>8}  {found}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
