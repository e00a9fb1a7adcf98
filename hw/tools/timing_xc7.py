"""Estimate of the longest path of a 7-series netlist, before place and route.

``python -m hw.tools.timing_xc7 NETLIST.json --limit 10`` prints the longest path, and the groups of
end points whose paths take longer than 10 ns: what to cure for 100 MHz.

Cells take what Project X-Ray's timing files say (``hw.tools.delays_xc7``: slowest corner, grade
-1). A net inside a slice (LUT to flip-flop, to carry chain, to wide multiplexer, carry to carry) is
free where it has that one sink. Any other is routed, and its delay is a model, ``wire``: it grows
with the logarithm of the number of its readers. ``MARGIN`` is set so that of LiteX' VexRiscv,
mapped as Yosys does by default, it says 68.1 MHz: LiteX systems with DDR3 on an Arty S7 were
routed at 68.7 and 69.7 MHz by nextpnr-xilinx (github.com/openXC7/nextpnr-xilinx, pull request 150),
so that the processor among them is at least as fast. It is an estimate all the same: a guide for
the design and for choosing a clock, which boards take 15 % below it. The router's figure
replaces it where there is one, and the scripts that route fail where timing is missed.
"""

import argparse
import collections
import math
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from hw.tools.delays_xc7 import DELAYS
from hw.tools.netlist import Cell, Netlist

NEAR = 0.6  #: ns, a routed net with one sink, well placed.
DOUBLING = 0.1  #: ns that each doubling of the sinks adds.
MARGIN = 1.15  #: On routed nets: what crowding and the open placer cost.
#: Cells between the pins and the clock, and constants: no path from register to register.
UNTIMED = frozenset(
    """
    GND VCC IBUF OBUF OBUFT IOBUF BUFG BUFGCTRL BUFGCE BUFH BUFHCE
    PLLE2_BASE PLLE2_ADV MMCME2_BASE MMCME2_ADV STARTUPE2
    """.split()
)
CLOCKS = frozenset(("C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK"))

#: How a figure was found, for a report.
NOTE = (
    "cell delays of the slowest corner of grade -1 and a model of the nets with "
    f"{round(100 * MARGIN) - 100} % of margin, before place and route"
)

Pin = tuple[str, int]  #: Port and index.


def wire(sinks: int) -> float:
    """Return the delay of a routed net that ``sinks`` cells read, in ns."""
    return MARGIN * (NEAR + DOUBLING * math.log2(max(1, sinks)))


@dataclass(frozen=True)
class Path:
    """One path: its delay, and the nets along it that still have a name of the design."""

    delay: float  #: ns
    nets: tuple[str, ...]
    cells: tuple[str, ...] = ()  #: Types of the cells passed, registers at both ends included.

    @property
    def mhz(self) -> float:
        """Highest clock in MHz."""
        return 1000 / self.delay if self.delay else float("inf")


@dataclass(frozen=True)
class Group:
    """End points of one register (or memory) that are reached from one, by the slowest first."""

    start: str
    end: str
    count: int
    path: Path  #: The slowest.


@dataclass(frozen=True)
class _Arc:
    out: int
    delay: float
    cell: Cell


@dataclass(frozen=True)
class _End:
    bit: int
    delay: float
    cell: Cell


def _bits(cell: Cell, *ports: str) -> Iterator[tuple[Pin, int]]:
    for port in ports:
        for k, bit in enumerate(cell.connections.get(port, [])):
            if isinstance(bit, int):
                yield (port, k), bit


def _is_output(cell: Cell, port: str) -> bool:
    kind = cell.type
    if kind.startswith("RAM"):
        return port.startswith(("DO", "DPO", "SPO")) or port == "O"
    if kind == "DSP48E1":
        return port in ("P", "PCOUT", "ACOUT", "BCOUT") or port.startswith(("CARRYOUT", "PATTERN"))
    return port in ("O", "O5", "O6", "CO", "Q", "Q31") or port.startswith(("CLKOUT", "LOCKED"))


class _Nets:
    """Who drives each net and who reads it, and so how long it takes to each reader."""

    def __init__(self, netlist: Netlist):
        self.driver: dict[int, tuple[Cell, Pin]] = {}
        self.readers: dict[int, int] = collections.Counter()
        self.pins: dict[int, tuple[Cell, Pin]] = {}  #: One reader of each net.
        for cell in netlist.cells:
            for port in cell.connections:
                if _is_output(cell, port):
                    self.driver.update({bit: (cell, pin) for pin, bit in _bits(cell, port)})
                elif port not in CLOCKS:
                    for pin, bit in _bits(cell, port):
                        self.readers[bit] += 1
                        self.pins[bit] = (cell, pin)

    def routed(self, bit: int) -> float:
        """Return the delay of a net through the fabric, the way out of its slice included."""
        return self._out(bit) + wire(self.readers[bit])

    def _out(self, bit: int) -> float:
        if bit not in self.driver:
            return 0.0
        cell, (port, _) = self.driver[bit]
        if cell.type == "CARRY4":
            return DELAYS[f"carry.exit.{port}"]
        if cell.type in ("MUXF7", "MUXF8"):
            return DELAYS[f"{cell.type.lower()}.exit"]
        return DELAYS["lut.o5.exit"] if port == "O5" else 0.0

    def alone(self, bit: int) -> tuple[str, str, int]:
        """Return type, port and index of the driver of a net with one reader, else blanks."""
        if self.readers[bit] != 1 or bit not in self.driver:
            return "", "", 0
        cell, (port, k) = self.driver[bit]
        return ("LUT" if _is_lut(cell) else cell.type), port, k

    def to_register(self, bit: int) -> float:
        """Return net and set-up at the data input of a flip-flop."""
        kind, port, _ = self.alone(bit)
        if kind == "LUT":
            return DELAYS["ff.d.lut"]
        if kind == "CARRY4":
            return DELAYS[f"ff.d.{port}"]
        if kind in ("MUXF7", "MUXF8"):
            return DELAYS["ff.d.muxf"]
        return self.routed(bit) + DELAYS["ff.d"]

    def to_carry(self, cell: Cell, port: str, k: int, bit: int) -> float:
        """Return the net to a pin of a carry chain."""
        kind, out, _ = self.alone(bit)
        if port == "CI" and bit in self.driver and self.driver[bit][0].type == "CARRY4":
            return 0.0
        if port == "S":
            if kind == "LUT" and out != "O5":
                return DELAYS["carry.from_lut"]
            return self.routed(bit) + DELAYS["lut"] + DELAYS["carry.from_lut"]
        if port == "DI" and kind == "LUT" and out == "O5":
            twin = self.driver[bit][0].connections.get("O6", [""])[0]
            if twin == cell.connections["S"][k] and self.readers[int(twin)] == 1:
                return DELAYS["carry.from_lut"]
        return self.routed(bit)

    def to_mux(self, port: str, bit: int) -> float:
        """Return the net to a wide multiplexer; what it selects from is in its slice."""
        return 0.0 if port != "S" and self.alone(bit)[0] else self.routed(bit)


def _is_lut(cell: Cell) -> bool:
    return cell.type.startswith("LUT") or cell.type == "INV"


class _Graph:
    def __init__(self, netlist: Netlist):
        self.nets = _Nets(netlist)
        self.starts: dict[int, tuple[float, Cell]] = {}
        self.ends: list[_End] = []
        self.arcs: dict[int, list[_Arc]] = collections.defaultdict(list)
        for cell in netlist.cells:
            kind = cell.type
            if _is_lut(cell):
                self._lut(cell)
            elif kind in ("MUXF7", "MUXF8"):
                self._mux(cell)
            elif kind == "CARRY4":
                self._carry(cell)
            elif kind.startswith("FD"):
                self._flip_flop(cell)
            elif kind.startswith("RAMB"):
                self._block_ram(cell)
            elif kind.startswith("SRL"):
                self._start(cell, "srl.clock", "Q", "Q31")
                self._end(cell, "srl.d", "D")
                self._end(cell, "srl.ce", "CE")
                self._through(cell, "lut", ("A", "A0", "A1", "A2", "A3", "A4"), ("Q",))
            elif kind.startswith("RAM"):
                self._lut_ram(cell)
            elif kind == "DSP48E1":
                self._dsp(cell)
            elif kind not in UNTIMED:
                raise SpikeloomError(
                    f"{netlist.name}: nothing is known of how long {kind} {cell.name} takes; add "
                    "it to hw/tools/timing_xc7.py"
                )

    def _start(self, cell: Cell, delay: str, *ports: str) -> None:
        for _, bit in _bits(cell, *ports):
            self.starts[bit] = (DELAYS[delay], cell)

    def _end(self, cell: Cell, delay: str, *ports: str) -> None:
        for _, bit in _bits(cell, *ports):
            self.ends.append(_End(bit, self.nets.routed(bit) + DELAYS[delay], cell))

    def _arc(self, cell: Cell, bit: int, out: int, delay: float) -> None:
        self.arcs[bit].append(_Arc(out, delay, cell))

    def _through(self, cell: Cell, delay: str, ins: Iterable[str], outs: Iterable[str]) -> None:
        outputs = [out for _, out in _bits(cell, *outs)]
        for _, bit in _bits(cell, *ins):
            for out in outputs:
                self._arc(cell, bit, out, self.nets.routed(bit) + DELAYS[delay])

    def _lut(self, cell: Cell) -> None:
        ins = [f"I{i}" for i in range(6)]
        self._through(cell, "lut", ins, ("O", "O6"))
        self._through(cell, "lut.o5", ins[:5], ("O5",))

    def _mux(self, cell: Cell) -> None:
        name = cell.type.lower()
        for (port, _), bit in _bits(cell, "I0", "I1", "S"):
            delay = DELAYS[f"{name}.s" if port == "S" else name]
            for _, out in _bits(cell, "O"):
                self._arc(cell, bit, out, self.nets.to_mux(port, bit) + delay)

    def _carry(self, cell: Cell) -> None:
        outs = list(_bits(cell, "CO", "O"))
        for (port, k), bit in _bits(cell, "CI", "CYINIT", "S", "DI"):
            net = self.nets.to_carry(cell, port, k, bit)
            pin = f"{port}{k}" if port in ("S", "DI") else port
            for (end, n), out in outs:
                delay = DELAYS.get(f"carry.{pin}.{end}{n}")
                if delay is not None:
                    self._arc(cell, bit, out, net + delay)

    def _flip_flop(self, cell: Cell) -> None:
        self._start(cell, "ff.clock", "Q")
        for _, bit in _bits(cell, "D"):
            self.ends.append(_End(bit, self.nets.to_register(bit), cell))
        self._end(cell, "ff.ce", "CE")
        self._end(cell, "ff.sr", "R", "S", "CLR", "PRE")

    def _block_ram(self, cell: Cell) -> None:
        for side, port in (("A", "ARD"), ("B", "BWR")):
            registered = cell.number(f"DO{side}_REG")
            clock = "bram.clock.register" if registered else "bram.clock"
            self._start(cell, clock, f"DO{side}DO", f"DOP{side}DOP")
            self._end(cell, "bram.address", f"ADDR{port}ADDR")
            self._end(cell, "bram.enable", f"EN{port}EN")
            self._end(cell, "bram.we", f"WE{side}", f"WE{side}WE")
            self._end(cell, "bram.d", f"DI{side}DI", f"DIP{side}DIP")
            self._end(cell, "bram.rst", f"RSTRAM{side}", f"RSTRAM{port[0]}RSTRAM")
            if registered:
                self._end(cell, "bram.register.ce", f"REGCE{side}", f"REGCE{port}REGCE")
                self._end(cell, "bram.rst", f"RSTREG{side}", f"RSTREG{port}RSTREG")

    def _lut_ram(self, cell: Cell) -> None:
        names = cell.connections
        outs = [p for p in names if _is_output(cell, p)]
        self._start(cell, "lutram.clock", *outs)
        self._end(cell, "lutram.we", "WE")
        self._end(cell, "lutram.d", *(p for p in names if re.fullmatch(r"DI?[A-D]?", p)))
        if cell.type.endswith("M"):  # four LUTs, each with an address; the last one's writes
            self._end(cell, "lutram.wa", "ADDRD")
            for letter in "ABCD":
                self._through(cell, "lut.o5", (f"ADDR{letter}",), (f"DO{letter}",))
            return
        write, read = (
            [p for p in names if re.fullmatch(rf"{head}\d*", p)] for head in ("A", "DPRA")
        )
        self._end(cell, "lutram.wa", *write)
        self._through(cell, "lutram.wide", write, ("SPO", "O"))
        self._through(cell, "lutram.wide", read, ("DPO",))

    def _dsp(self, cell: Cell) -> None:
        m, p = bool(cell.number("MREG", 1)), bool(cell.number("PREG", 1))
        multiplies = cell.text("USE_MULT", "MULTIPLY") != "NONE"
        within = "multiply." if multiplies else ""
        clocks = ["P.clock"] if p else ["M.clock.P"] if multiplies and m else []
        for pin in ("A", "B", "C", "OPMODE", "ALUMODE", "CARRYIN", "CARRYINSEL", "INMODE"):
            head = f"{pin}.{within}" if pin in ("A", "B") else f"{pin}."
            behind_m = multiplies and m and pin in ("A", "B", "INMODE")
            if cell.number(f"{pin}REG", 1):
                self._end(cell, f"dsp.{pin}.setup", pin)
                if not p and not behind_m and pin != "INMODE":
                    clocks.append(f"{head}clock.P")
            elif behind_m:
                self._end(cell, f"dsp.{pin}.setup.M", pin)
            elif p:
                self._end(cell, f"dsp.{head}setup.P", pin)
            elif pin != "INMODE":
                self._through(cell, f"dsp.{head}P", (pin,), ("P",))
        if clocks:
            self._start(cell, max((f"dsp.{c}" for c in clocks), key=DELAYS.__getitem__), "P")
        self._start(cell, "dsp.PCOUT.clock", *(["PCOUT"] if p else []))
        for _, bit in _bits(cell, "PCIN"):  # a wire of its own from the DSP below
            if p:
                self.ends.append(_End(bit, DELAYS["dsp.PCIN.setup.P"], cell))
            else:
                for _, out in _bits(cell, "P"):
                    self._arc(cell, bit, out, DELAYS["dsp.PCIN.P"])
        self._end(cell, "dsp.D.setup", "D")
        enables = [name for name in cell.connections if name.startswith("CE")]
        self._end(cell, "dsp.ce", *enables)
        self._end(cell, "dsp.rst", *(n for n in cell.connections if n.startswith("RST")))


class Timing:
    """Arrival times of a netlist's nets."""

    def __init__(self, netlist: Netlist):
        self._graph, self._netlist = _Graph(netlist), netlist
        self._at: dict[int, float] = {}
        self._via: dict[int, tuple[int | None, Cell]] = {}
        self._names = _public_names(netlist)
        self._arrive()
        at = self._at
        self._ends = sorted(
            ((at[e.bit] + e.delay, n, e) for n, e in enumerate(self._graph.ends) if e.bit in at),
            reverse=True,
        )

    def _arrive(self) -> None:
        g = self._graph
        waiting: dict[int, int] = collections.Counter(
            arc.out for arcs in g.arcs.values() for arc in arcs
        )
        at = self._at
        at.update({bit: delay for bit, (delay, _) in g.starts.items()})
        self._via.update({b: (None, cell) for b, (_, cell) in g.starts.items()})
        ready = [bit for bit in set(g.arcs) | set(g.starts) if not waiting[bit]]
        while ready:
            bit = ready.pop()
            for arc in g.arcs.get(bit, ()):
                if bit in at and at[bit] + arc.delay > at.get(arc.out, -1.0):
                    at[arc.out], self._via[arc.out] = at[bit] + arc.delay, (bit, arc.cell)
                waiting[arc.out] -= 1
                if not waiting[arc.out]:
                    ready.append(arc.out)

    def longest(self) -> Path:
        """Return the longest path from register to register."""
        if not self._ends:
            return Path(0.0, ())
        delay, _, end = self._ends[0]
        return self._path(delay, end)

    def groups(self, limit: float) -> list[Group]:
        """Return what takes longer than ``limit`` ns, slowest first."""
        found: dict[tuple[str, str], list[tuple[float, _End]]] = collections.defaultdict(list)
        for delay, _, end in self._ends:
            if delay <= limit:
                break
            start = self._trace(end)[0][1]
            found[self._register(start), self._register(end.cell)].append((delay, end))
        return [
            Group(start, end, len({id(e.cell) for _, e in ends}), self._path(*ends[0]))
            for (start, end), ends in found.items()
        ]

    def _trace(self, end: _End) -> list[tuple[int, Cell]]:
        steps: list[tuple[int, Cell]] = []
        step: int | None = end.bit
        while step is not None:
            before, cell = self._via[step]
            steps.append((step, cell))
            step = before
        return steps[::-1]

    def _path(self, delay: float, end: _End) -> Path:
        steps = self._trace(end)
        nets = [self._names.get(bit, "") for bit, _ in steps] + [self._label(end.cell)]
        cells = [cell.type for _, cell in steps] + [end.cell.type]
        return Path(round(delay, 3), tuple(n for n in nets if n), tuple(cells))

    def _label(self, cell: Cell) -> str:
        """Return what a register is called: the net that it drives, else the cell."""
        if cell.type.startswith("FD"):
            for _, bit in _bits(cell, "Q"):
                return self._names.get(bit, cell.name)
        return cell.name

    def _register(self, cell: Cell) -> str:
        return re.sub(r"(\[\d+\]|(\.\d+)+)$", "", self._label(cell))


def longest_path(netlist: Netlist) -> Path:
    """Return the longest register to register path of a netlist."""
    return Timing(netlist).longest()


def _public_names(netlist: Netlist) -> dict[int, str]:
    """Return for each net its shortest name that does not come from a tool."""
    out: dict[int, str] = {}
    for name, bits in netlist.netnames.items():
        if name.startswith("$") or ".$" in name:
            continue
        for k, bit in enumerate(bits):
            full = f"{name}[{k}]" if len(bits) > 1 else name
            if isinstance(bit, int) and (bit not in out or len(full) < len(out[bit])):
                out[bit] = full
    return out


def lines(path: Path) -> Iterator[str]:
    """Yield a path for people: its cells, runs of one type counted, and its nets."""
    runs: list[list] = []
    for kind in path.cells:
        if runs and runs[-1][0] == kind:
            runs[-1][1] += 1
        else:
            runs.append([kind, 1])
    yield "  " + " > ".join(f"{kind} x {n}" if n > 1 else kind for kind, n in runs)
    yield "  " + " > ".join(path.nets)


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Print the longest path of a netlist, and what takes longer than a limit."""
    parser = argparse.ArgumentParser(
        prog=prog("hw.tools.timing_xc7"),
        description="Print the longest path of a 7-series netlist, before place and route.",
    )
    parser.add_argument("netlist", metavar="NETLIST.json")
    parser.add_argument(
        "--limit",
        metavar="NS",
        type=float,
        help="print also the groups of end points whose paths take longer, slowest first",
    )
    args = parser.parse_args(argv)
    try:
        timing = Timing(Netlist.load(args.netlist))
    except OSError as e:
        raise SpikeloomError(
            f"{args.netlist}: cannot be read ({e.strerror}); give a netlist that Yosys wrote as "
            "JSON"
        ) from None
    path = timing.longest()
    print(f"longest path {path.delay:.2f} ns, {path.mhz:.1f} MHz", *lines(path), sep="\n")
    if args.limit is not None:
        groups = timing.groups(args.limit)
        ends = sum(g.count for g in groups)
        print(f"above {args.limit:g} ns: {ends} end points in {len(groups)} groups")
        for g in groups:
            print(f"{g.path.delay:.2f} ns, {g.count} x {g.end} from {g.start}")
            print(*lines(g.path), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
