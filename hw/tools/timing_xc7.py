"""Estimate of the longest path of a 7-series netlist, before place and route.

Cell delays are of the data sheet's order for an Artix-7 of speed grade -1; every net that is
routed outside a slice is taken to cost ``NET`` ns. It is an estimate: a guide for the design and
for choosing a clock, not a promise; the router's figure replaces it where there is one.
"""

import collections
from collections.abc import Iterator
from dataclasses import dataclass

from hw.tools.netlist import Cell, Netlist

NET = 0.75  #: ns, a routed net.
LUT = 0.124
MUXF = 0.22
FF_OUT, FF_SETUP = 0.456, 0.07
BRAM_OUT, BRAM_OUT_REGISTERED, BRAM_SETUP = 2.454, 0.882, 0.566
LUT_RAM_OUT, LUT_RAM_SETUP = 1.31, 0.4
SRL_OUT = 1.63
CARRY_IN, CARRY_STEP, CARRY_OUT = 0.45, 0.03, 0.25
DSP_OUT, DSP_M_OUT, DSP_SETUP, DSP_MULTIPLY, DSP_ADD = 0.434, 1.7, 0.4, 2.7, 1.5

#: (from bit, to bit, delay, whether the net into it is routed)
Arc = tuple[int, int, float, bool]


@dataclass(frozen=True)
class Path:
    """The longest path: its delay, and the nets along it that still have a name of the design."""

    delay: float  #: ns
    nets: tuple[str, ...]

    @property
    def mhz(self) -> float:
        """Highest clock in MHz."""
        return 1000 / self.delay if self.delay else float("inf")


def _nets(cell: Cell, *pins: str) -> list[int]:
    return [b for p in pins for b in cell.connections.get(p, []) if isinstance(b, int)]


def _through(cell: Cell, ins: list[str], outs: list[str], delay: float) -> Iterator[Arc]:
    for o in _nets(cell, *outs):
        for i in _nets(cell, *ins):
            yield i, o, delay, True


def _carry(cell: Cell) -> Iterator[Arc]:
    out = {(p, k): b for p in ("O", "CO") for k, b in enumerate(cell.connections.get(p, []))}
    for (port, k), bit in out.items():
        if not isinstance(bit, int):
            continue
        tail = CARRY_OUT if port == "O" else 0.0
        for pin in ("CI", "CYINIT"):
            for source in _nets(cell, pin):
                yield source, bit, CARRY_STEP * (k + 1) + tail, pin != "CI"
        for pin in ("S", "DI"):
            for j, source in enumerate(cell.connections.get(pin, [])):
                if isinstance(source, int) and j <= k and (port == "CO" or pin == "S" or j < k):
                    yield source, bit, CARRY_IN + CARRY_STEP * (k - j) + tail, True


class _Graph:
    def __init__(self, netlist: Netlist):
        self.starts: dict[int, tuple[float, str]] = {}
        self.ends: list[tuple[int, float, str]] = []
        self.arcs: dict[int, list[tuple[int, float, str]]] = collections.defaultdict(list)
        for cell in netlist.cells:
            self._add(cell)

    def _start(self, cell: Cell, delay: float, *pins: str) -> None:
        for bit in _nets(cell, *pins):
            self.starts[bit] = (delay, cell.name)

    def _end(self, cell: Cell, setup: float, *pins: str) -> None:
        for bit in _nets(cell, *pins):
            self.ends.append((bit, setup + NET, cell.name))

    def _add(self, cell: Cell) -> None:
        kind, arcs = cell.type, iter(())
        if kind.startswith("LUT") or kind == "INV":
            arcs = _through(cell, [f"I{i}" for i in range(6)], ["O", "O5", "O6"], LUT)
        elif kind.startswith("MUXF"):
            arcs = (
                (i, o, d, i in _nets(cell, "S"))
                for i, o, d, _ in _through(cell, ["I0", "I1", "S"], ["O"], MUXF)
            )
        elif kind == "CARRY4":
            arcs = _carry(cell)
        elif kind.startswith("FD"):
            self._start(cell, FF_OUT, "Q")
            self._end(cell, FF_SETUP, "D", "CE", "R", "S")
        elif kind.startswith("RAMB"):
            for s, pins in (("A", ("DOADO", "DOPADOP")), ("B", ("DOBDO", "DOPBDOP"))):
                registered = cell.number(f"DO{s}_REG")
                self._start(cell, BRAM_OUT_REGISTERED if registered else BRAM_OUT, *pins)
            clocks = ("CLKARDCLK", "CLKBWRCLK")
            ins = [p for p in cell.connections if not p.startswith(("DO", *clocks))]
            self._end(cell, BRAM_SETUP, *ins)
        elif kind.startswith("SRL"):
            self._start(cell, SRL_OUT, "Q")
            self._end(cell, LUT_RAM_SETUP, "D", "CE")
        elif kind.startswith("RAM"):
            outs = [p for p in cell.connections if p.startswith(("DO", "DPO", "SPO"))]
            addresses = [p for p in cell.connections if p.startswith(("ADDR", "DPRA", "A"))]
            self._start(cell, LUT_RAM_OUT, *outs)
            self._end(
                cell, LUT_RAM_SETUP, *[p for p in cell.connections if p not in outs and p != "WCLK"]
            )
            arcs = _through(cell, addresses, outs, LUT)
        elif kind == "DSP48E1":
            arcs = self._dsp(cell)
        for i, o, delay, routed in arcs:
            self.arcs[i].append((o, delay + (NET if routed else 0.0), cell.name))

    def _dsp(self, cell: Cell) -> Iterator[Arc]:
        m, p = cell.number("MREG", 1), cell.number("PREG", 1)
        if p or m:
            self._start(cell, DSP_OUT if p else DSP_M_OUT, "P")
        for pin in ("A", "B", "C"):
            if cell.number(f"{pin}REG", 1):
                self._end(cell, DSP_SETUP, pin)
            elif pin != "C" and m:
                self._end(cell, DSP_MULTIPLY, pin)
            elif p:
                self._end(cell, DSP_ADD + (DSP_MULTIPLY if pin != "C" else 0), pin)
        self._end(cell, DSP_SETUP, "D", "OPMODE", "INMODE", "ALUMODE", "CEP", "CEM", "RSTP", "RSTM")
        if not (p or m):
            yield from _through(cell, ["A", "B"], ["P"], DSP_MULTIPLY + DSP_ADD)
            yield from _through(cell, ["C"], ["P"], DSP_ADD)


def longest_path(netlist: Netlist) -> Path:
    """Return the longest register to register path of a netlist."""
    g = _Graph(netlist)
    waiting: dict[int, int] = collections.Counter(o for arcs in g.arcs.values() for o, _, _ in arcs)
    at: dict[int, float] = {bit: delay for bit, (delay, _) in g.starts.items()}
    via: dict[int, tuple[int | None, str]] = {b: (None, n) for b, (_, n) in g.starts.items()}
    sources = set(g.arcs) | set(g.starts)
    ready = [bit for bit in sources if not waiting[bit]]
    while ready:
        bit = ready.pop()
        for out, delay, name in g.arcs.get(bit, ()):
            if bit in at and at[bit] + delay > at.get(out, -1.0):
                at[out], via[out] = at[bit] + delay, (bit, name)
            waiting[out] -= 1
            if not waiting[out]:
                ready.append(out)
    ends = [(at[bit] + setup, bit, name) for bit, setup, name in g.ends if bit in at]
    if not ends:
        return Path(0.0, ())
    total, bit, name = max(ends)
    names = _public_names(netlist)
    into = {c.name: b for c in netlist.cells if c.type.startswith("FD") for b in _nets(c, "Q")}
    step: int | None = bit
    nets = [names.get(into.get(name, -1), name)]
    while step is not None:
        nets.append(names.get(step, ""))
        step = via[step][0]
    return Path(round(total, 3), tuple(n for n in reversed(nets) if n))


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
