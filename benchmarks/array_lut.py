"""LUTs of the systolic array alone for each binary operation: ``python -m benchmarks.array_lut``.

Popcounts of rows, sums and drain are part of it. 7-series: LUT cells (LUT1 to LUT6 and inverters;
a LUT6_2 counts as one). ECP5: LUT4 as nextpnr packs them, a CCU2C being two. The behavioural form
stands beside each, as the same tools map it; ``--form`` leaves all others out.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells import XC7, cells
from benchmarks.floor import Floor, plain
from hw.arch import Config
from hw.common.cli import command
from hw.common.errors import SpikeloomError
from hw.core.array import SystolicArray
from hw.targets.ecp5 import luts
from hw.targets.xc7 import lut_cells

CONFIG, WIDE = Config(), Config(width=64)
SYNTHESIS = {"xc7": XC7, "ecp5": "synth_ecp5 -nowidelut -top top"}
COUNT = {"xc7": lut_cells, "ecp5": luts}


@dataclass(frozen=True)
class Form:
    """An array that is counted."""

    family: str
    config: Config
    bound: float | None = None  #: None: the behavioural form, which has no floor.

    @property
    def target(self) -> str:
        """Which form of the array."""
        return "generic" if self.bound is None else self.family

    @property
    def title(self) -> str:
        """What it is, for people."""
        size = f"R{self.config.rows} C{self.config.cols} W{self.config.width}"
        return f"{self.family}, {size}" + (", behavioural form" if self.bound is None else "")


FORMS = {
    "xc7": Form("xc7", CONFIG, 1.00),
    "xc7-wide": Form("xc7", WIDE, 0.92),
    "ecp5": Form("ecp5", CONFIG, 3.3),
    "xc7-behavioural": Form("xc7", CONFIG),
    "ecp5-behavioural": Form("ecp5", CONFIG),
}


def count(form: Form, folder: Path) -> dict[str, int]:
    """Return the cells of the array by type."""
    array = SystolicArray(form.config, target=form.target)
    return cells(array, SYNTHESIS[form.family], folder)


def lines(form: Form, counts: Mapping[str, int]) -> tuple[str, bool]:
    """Return the figure of an array as text, and whether it keeps its floor."""
    n = COUNT[form.family](counts)
    value = n / form.config.peak
    others = ", ".join(
        f"{counts[name]} {name}" for name in ("DSP48E1", "PFUMX") if counts.get(name)
    )
    ffs = sum(v for k, v in counts.items() if k.startswith(("FD", "TRELLIS_FF")))
    tail = (
        f"  ({n} of {form.config.peak} operations; {ffs} flip-flops{', ' * bool(others)}{others})"
    )
    if form.bound is None:
        return plain(form.title, value, digits=3) + tail, True
    floor = Floor(bound=form.bound, digits=3)
    return floor.line(form.title, value) + tail, floor.met(value)


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the figures; 1 where a floor is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.array_lut", description=__doc__)
    parser.add_argument("--form", action="append", help="this one; may be repeated")
    names = parser.parse_args(argv).form or FORMS
    if unknown := [name for name in names if name not in FORMS]:
        raise SpikeloomError(f"unknown form {unknown[0]!r}; known forms: {', '.join(FORMS)}")
    bad = 0
    print("LUTs of the array for each binary operation")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            text, met = lines(FORMS[name], count(FORMS[name], Path(folder)))
        print(text, flush=True)
        bad |= not met
    return bad


if __name__ == "__main__":
    sys.exit(main())
