"""What the 7-series routers leave out of their FASM: tie-offs of DSP48E1.

Eight control pins of a DSP48E1 have no wire from outside its tile, only a switch to 0 and one to 1.
Routers up to nextpnr-xilinx 0.9.6 (openXC7/nextpnr-xilinx#159) leave both open where the pin is a
constant, and multipliers then give wrong products. Here every such pin that is left open is tied to
0, with its inverter off, as Vivado does; ``hw.tools.check_xc7`` holds that they are 0.
"""

import re
from pathlib import Path

from hw.common.files import write

#: The pins: port and bit.
TIED = (*(("INMODE", n) for n in range(5)), ("ALUMODE", 2), ("ALUMODE", 3), ("OPMODE", 6))
_SITE = re.compile(r"(DSP_([LR])_X\d+Y\d+)\.DSP48\.DSP_([01])\.")
_TIE = re.compile(r"(DSP_[LR]_X\d+Y\d+\.DSP_[01]_[A-Z]+\d+)\.DSP_(?:GND|VCC)_[LR]\b")


def missing_ties(fasm: str) -> list[str]:
    """Return the lines that a FASM lacks for the DSP48E1 in it to work, sorted."""
    sites, tied = set(_SITE.findall(fasm)), set(_TIE.findall(fasm))
    return sorted(
        line
        for tile, side, dsp in sites
        for port, n in TIED
        if f"{tile}.DSP_{dsp}_{port}{n}" not in tied
        for line in (
            f"{tile}.DSP_{dsp}_{port}{n}.DSP_GND_{side}",
            f"{tile}.DSP48.DSP_{dsp}.ZIS_{port}_INVERTED[{n}]",
        )
    )


def tie(path: Path) -> int:
    """Add what is missing to a FASM file; return how many lines that is."""
    text = path.read_text(encoding="utf-8")
    lines = missing_ties(text)
    if lines:
        write(path, text + "".join(f"{line}\n" for line in lines))
    return len(lines)


def awk() -> str:
    """Return an awk program that prints a FASM with what it lacks behind it, as `tie` writes it."""
    pins = " ".join(f"{port}{n}" for port, n in TIED)
    return f"""\
{{ print; split($1, part, "."); tied[part[1] "." part[2]] = 1 }}
part[1] ~ /^DSP_[LR]_X/ && part[2] == "DSP48" {{ sites[part[1] " " part[3]] = 1 }}
END {{ n = split("{pins}", pins, " ")
for (site in sites) {{ split(site, at, " "); for (i = 1; i <= n; i++)
if (!((at[1] "." at[2] "_" pins[i]) in tied)) {{
bit = substr(pins[i], length(pins[i])); bus = substr(pins[i], 1, length(pins[i]) - 1)
print at[1] "." at[2] "_" pins[i] ".DSP_GND_" substr(at[1], 5, 1)
print at[1] ".DSP48." at[2] ".ZIS_" bus "_INVERTED[" bit "]" }} }} }}"""
