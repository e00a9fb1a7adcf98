"""Cells of the core that is stated for the iCE40UP5K: ``python -m benchmarks.ice40``.

Synthesis of the core alone with ``synth_ice40``, beside what the part has and what the compiler's
report forecasts for block RAMs. Takes some minutes.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.cells import cells
from benchmarks.floor import Floor, plain
from hw.arch.parts import fit, part
from hw.common.cli import command
from hw.core.core import Core

LUTS, DSPS = 5280, 8


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the figures; 1 where block RAMs are not those of the forecast."""
    argparse.ArgumentParser(prog="python -m benchmarks.ice40", description=__doc__).parse_args(argv)
    target = part("ice40up5k")
    config = target.config
    with tempfile.TemporaryDirectory() as folder:
        # there is no LUT RAM: what is to lie there becomes registers
        counts = cells(
            Core(config),
            "synth_ice40 -device u -dsp -spram -top top",
            Path(folder),
            change=lambda text: text.replace('"distributed"', '"logic"'),
        )
    print({name: n for name, n in sorted(counts.items())})
    placed = fit(config, target)
    blocks = placed.used["SB_RAM40_4K"]
    expected = blocks - sum(n for m, _, n in placed.rows if m.name == "link buffer")
    program = sum(n for m, _, n in placed.rows if m.name == "program")
    print(Floor(bound=30).line("block RAMs of the forecast, whole board", blocks))
    print(plain("block RAMs of the core alone, forecast", expected))
    got = counts.get("SB_RAM40_4K", 0)
    print(plain("block RAMs of the core alone, Yosys (program included)", got))
    print(plain("single-port RAMs for the program, forecast", program))
    print(Floor(bound=LUTS).line("LUT4", counts.get("SB_LUT4", 0)))
    registers = sum(n for name, n in counts.items() if name.startswith("SB_DFF"))
    print(Floor(bound=LUTS).line("registers", registers))
    print(Floor(bound=DSPS).line("SB_MAC16", counts.get("SB_MAC16", 0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
