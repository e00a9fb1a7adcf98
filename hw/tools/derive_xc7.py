"""Derive the cell delays of the 7-series estimate from Project X-Ray's timing files.

::

    git clone https://github.com/f4pga/prjxray-db
    git -C prjxray-db checkout COMMIT  # hw.tools.delays_xc7.COMMIT
    python -m hw.tools.derive_xc7 prjxray-db --output hw/tools/delays_xc7.py

A delay is a sum of the slowest entries of some kinds, over all positions in a slice and both kinds
of slice, so that it holds wherever the placer puts a cell. ``RECIPES`` says which.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from hw.common.files import write

FOLDER = "artix7/timings"
FILES = ("slicel.sdf", "slicem.sdf", "BRAM_L.sdf", "DSP_L.sdf")
_CELL = re.compile(r'\(CELLTYPE "([^"]*)"\)\s*\(INSTANCE ([^)]*)\)')
_PAIR = r"\(([-\d.]+)::([-\d.]+)\)"
_ENTRY = re.compile(
    r"\((IOPATH|INTERCONNECT|SETUP|RECOVERY) (\S+) (\S+|\(posedge \S+\)) "
    rf"{_PAIR}(?:{_PAIR})?\)"
)


@dataclass(frozen=True)
class Entry:
    """One line of a timing file, its slowest value in ns.

    ``start`` and ``end`` are pins; the end of a check is its clock.
    """

    cell: str  #: Type, with the settings under which it holds.
    place: str  #: Instance.
    kind: str  #: IOPATH, INTERCONNECT, SETUP or RECOVERY.
    start: str
    end: str
    delay: float


@dataclass(frozen=True)
class Term:
    """The slowest of the entries that match: all fields are regular expressions."""

    kind: str
    cell: str
    start: str
    end: str
    place: str = ".*"

    def slowest(self, entries: Sequence[Entry]) -> float:
        """Return its value; SpikeloomError where nothing matches."""
        wanted = [re.compile(getattr(self, name)) for name in _FIELDS]
        found = [
            e.delay
            for e in entries
            if all(w.fullmatch(getattr(e, name)) for w, name in zip(wanted, _FIELDS, strict=True))
        ]
        if not found:
            raise SpikeloomError(
                f"no entry of the timing files matches {self}; give the checkout that "
                "hw/tools/delays_xc7.py names"
            )
        return max(found)


_FIELDS = ("kind", "cell", "start", "end", "place")


def parse(text: str) -> Iterator[Entry]:
    """Yield the entries of a timing file (SDF)."""
    for block in text.split("(CELL\n")[1:]:
        head = _CELL.search(block)
        if head is None:
            continue
        for found in _ENTRY.finditer(block):
            kind, start, end, *numbers = found.groups()
            slow = float(numbers[3] if numbers[3] is not None else numbers[1])
            clock = end.removeprefix("(posedge ").removesuffix(")")
            yield Entry(head[1], head[2].strip(), kind, start, clock, slow)


def _path(cell: str, start: str, end: str, place: str = ".*") -> Term:
    return Term("IOPATH", cell, start, end, place)


def _wire(start: str, end: str) -> Term:
    return Term("INTERCONNECT", "ROUTING_BEL", start, end)


def _check(cell: str, pin: str, kind: str = "SETUP") -> Term:
    return Term(kind, cell, pin, ".*")


Recipes = dict[str, tuple[Term, ...]]
_LUT6, _LUT5 = "LUT6|LUT_OR_MEM6LRAM", "LUT5|LUT_OR_MEM5LRAM"
_FF = "(REG|FF)_INIT(_FF)?"
_CLOCK, _DIN = _wire("clk", ".ff"), _check(_FF, "DIN")


def _slices() -> Recipes:
    out: Recipes = {
        "lut": (_path(_LUT6, r"A\d", "O6"),),
        "lut.o5": (_path(_LUT5, r"A\d", "O5"),),
        "lut.o5.exit": (_wire("o5", "[abcd]mux"),),
        "muxf7": (_path("SELMUX2_1", "[01]", "OUT", ".*/F7.MUX"),),
        "muxf7.s": (_path("SELMUX2_1", "S0", "OUT", ".*/F7.MUX"),),
        "muxf7.exit": (_wire("f7.mux", "[abcd]mux"),),
        "muxf8": (_path("SELMUX2_1", "[01]", "OUT", ".*/F8MUX"),),
        "muxf8.s": (_path("SELMUX2_1", "S0", "OUT", ".*/F8MUX"),),
        "muxf8.exit": (_wire("f8mux", "[abcd]mux"),),
    }
    for start in ("CI", "CYINIT", *(f"{p}{k}" for p in ("S", "DI") for k in range(4))):
        first = int(start[-1]) if start[-1].isdigit() else 0
        for port in ("CO", "O"):
            for k in range(first + (start[:2] == "DI" and port == "O"), 4):
                end = f"{port}{k}"
                if start[:2] == "DI":
                    letter = "ABCD"[first]
                    term = _path(f"CARRY4_{letter}X", start, end)
                    out[f"carry.{start}.{end}"] = (term, _wire(f"{letter.lower()}x", f"di{first}"))
                else:
                    pin = "CIN" if start == "CI" else start
                    out[f"carry.{start}.{end}"] = (_path("CARRY4", pin, end),)
    out |= {
        "carry.exit.O": (_wire(r"carry4_o\d", "[abcd]mux"),),
        "carry.exit.CO": (_wire(r"carry4_co\d", "[abcd]mux"),),
        "carry.from_lut": (_wire("[abcd][56]lut", "carry4"),),
        "ff.clock": (_path(_FF, "CLK", "Q"), _CLOCK),
        "ff.d": (_DIN, _wire("[abcd]x", "[abcd]ff")),
        "ff.d.lut": (_DIN, _wire("[abcd]6lut", "[abcd]ff")),
        "ff.d.O": (_DIN, _wire(r"carry4_o\d", "[abcd]ff")),
        "ff.d.CO": (_DIN, _wire(r"carry4_co\d", "[abcd]ff")),
        "ff.d.muxf": (_DIN, _wire(r"f\d.?mux", "[abcd]ff")),
        "ff.ce": (_check(_FF, "CE"), _wire("ce", "[abcd]ff")),
        "ff.sr": (_check("(REG|FF)_INIT(_FF)?_Q.", "SR", "RECOVERY"), _wire("sr", "[abcd]ff")),
        "lutram.clock": (_path("LUT_OR_MEM.LRAM", "CLK", "O[56]"), _CLOCK),
        "lutram.d": (_check("LUT_OR_MEM.LRAM", r"DI\d"), _wire("di", "[abcd][56]lut")),
        "lutram.wa": (_check("LUT_OR_MEM.LRAM", r"WA\d"),),
        "lutram.we": (_check("LUT_OR_MEM.LRAM", "WE"),),
        # One of four LUTs, behind two multiplexers: up to 256 words.
        "lutram.wide": (
            _path(_LUT5, r"A\d", "O5"),
            _path("SELMUX2_1", "[01]", "OUT", ".*/F7.MUX"),
            _path("SELMUX2_1", "[01]", "OUT", ".*/F8MUX"),
        ),
        "srl.clock": (_path("LUT_OR_MEM.SHFREG", "CLK", "O[56]"), _CLOCK),
        "srl.d": (_check("LUT_OR_MEM.SHFREG", r"DI\d"), _wire("di", "[abcd][56]lut")),
        "srl.ce": (_check("LUT_OR_MEM.SHFREG", "WE"),),
    }
    return out


def _block_rams() -> Recipes:
    any_ram = "RAMBFIFO36E1.*"
    return {
        "bram.clock": (_path(".*DO[AB]_REG_U_0.*", "CLK.*", "DOP?[AB].*"),),
        "bram.clock.register": (_path(".*DO[AB]_REG_U_1.*", ".*CLK.*", "DOP?[AB].*"),),
        "bram.address": (_check(any_ram, "ADDR.*"),),
        "bram.enable": (_check("RAMBFIFO36E1_ISFIFO_FALSE", "EN.*"),),
        "bram.we": (_check(any_ram, "WE.*"),),
        "bram.d": (_check(any_ram, "DIP?[AB].*"),),
        "bram.register.ce": (_check(any_ram, "REGCE.*"),),
        "bram.rst": (_check(any_ram, "RST(REG|RAM[AB]).*"),),
    }


def _dsps() -> Recipes:
    out: Recipes = {
        "dsp.ce": (_check("DSP48E1_.*REG_[12]", "CE.*"),),
        "dsp.rst": (_check("DSP48E1_.*REG_[12]", "RST.*"),),
        "dsp.P.clock": (_path("DSP48E1_PREG_1", "CLK", "P"),),
        "dsp.M.clock.P": (_path("DSP48E1_MREG_1_PREG_0", "CLK", "P"),),
        "dsp.PCIN.P": (_path("DSP48E1_PREG_0", "PCIN", "P"),),
        "dsp.PCIN.setup.P": (_check("DSP48E1_PREG_1_.*NO_PATDET", "PCIN"),),
        "dsp.PCOUT.clock": (_path("DSP48E1_PREG_1", "CLK", "PCOUT"),),
        "dsp.D.setup": (_check("DSP48E1_DREG_1", "D"),),
    }
    no = "_USE_PATTERN_DETECT_NO_PATDET"
    for pin, port in (("A", "_USE_DPORT_FALSE"), ("B", "")):
        bare, reg = f"DSP48E1_{pin}REG_0_{pin}_INPUT_DIRECT_", f"DSP48E1_{pin}REG_[12]_"
        mult, none = f"{port}_USE_MULT_MULTIPLY", "_USE_MULT_NONE"
        out |= {
            f"dsp.{pin}.setup": (_check(f"DSP48E1_{pin}REG_[12]_{pin}_INPUT_DIRECT", pin),),
            f"dsp.{pin}.setup.M": (_check(f"{bare}MREG_1{mult}", pin),),
            f"dsp.{pin}.multiply.setup.P": (_check(f"{bare}MREG_0_PREG_1{mult}{no}", pin),),
            f"dsp.{pin}.multiply.P": (_path(f"{bare}MREG_0_PREG_0{mult}", pin, "P"),),
            f"dsp.{pin}.multiply.clock.P": (_path(f"{reg}MREG_0_PREG_0{mult}", "CLK", "P"),),
            f"dsp.{pin}.setup.P": (_check(f"{bare}PREG_1{none}{no}", pin),),
            f"dsp.{pin}.P": (_path(f"{bare}PREG_0{none}", pin, "P"),),
            f"dsp.{pin}.clock.P": (_path(f"{reg}PREG_0{none}", "CLK", "P"),),
        }
    for pin in ("C", "OPMODE", "ALUMODE", "CARRYIN", "CARRYINSEL"):
        out |= {
            f"dsp.{pin}.setup": (_check(f"DSP48E1_{pin}REG_1", pin),),
            f"dsp.{pin}.setup.P": (_check(f"DSP48E1_{pin}REG_0_PREG_1{no}", pin),),
            f"dsp.{pin}.P": (_path(f"DSP48E1_{pin}REG_0_PREG_0", pin, "P"),),
            f"dsp.{pin}.clock.P": (_path(f"DSP48E1_{pin}REG_1_PREG_0", "CLK", "P"),),
        }
    mult = "_USE_DPORT_FALSE_USE_MULT_MULTIPLY"
    out |= {
        "dsp.INMODE.setup": (_check("DSP48E1_INMODEREG_1", "INMODE"),),
        "dsp.INMODE.setup.M": (_check(f"DSP48E1_INMODEREG_0_MREG_1{mult}", "INMODE"),),
        "dsp.INMODE.setup.P": (_check(f"DSP48E1_INMODEREG_0_MREG_0_PREG_1{mult}{no}", "INMODE"),),
    }
    return out


RECIPES: Recipes = {**_slices(), **_block_rams(), **_dsps()}


def derive(entries: Sequence[Entry], recipes: Recipes) -> dict[str, float]:
    """Return each recipe's delay in ns."""
    return {
        name: round(sum(term.slowest(entries) for term in terms), 3)
        for name, terms in recipes.items()
    }


def read(database: Path) -> list[Entry]:
    """Return the entries of a checkout of the database; SpikeloomError where a file is missing."""
    out: list[Entry] = []
    for name in FILES:
        path = database / FOLDER / name
        try:
            out += parse(path.read_text(encoding="utf-8"))
        except OSError as e:
            raise SpikeloomError(
                f"{path}: cannot be read ({e.strerror}); give the folder of a checkout of "
                "prjxray-db, as hw/tools/delays_xc7.py names it"
            ) from None
    return out


def module(delays: Mapping[str, float]) -> str:
    """Return the text of ``hw/tools/delays_xc7.py`` with these delays."""
    head = Path(__file__).with_name("delays_xc7.py").read_text(encoding="utf-8")
    head = head.partition("DELAYS = {")[0]
    return f"{head}DELAYS = {{\n{''.join(f'    {_item(*d)}' for d in delays.items())}}}\n"


def _item(name: str, delay: float) -> str:
    return f'"{name}": {delay:g},\n'


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Print ``hw/tools/delays_xc7.py`` as a checkout of the database has it."""
    parser = argparse.ArgumentParser(
        prog=prog("hw.tools.derive_xc7"),
        description="Print hw/tools/delays_xc7.py, its delays from a checkout of prjxray-db.",
    )
    parser.add_argument("database", metavar="FOLDER", type=Path)
    parser.add_argument("--output", metavar="FILE", type=Path, help="write it there instead")
    args = parser.parse_args(argv)
    text = module(derive(read(args.database), RECIPES))
    if args.output:
        write(args.output, text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
