"""Find the flip-flops of a 7-series netlist that depend on their power-up value after reset.

Values spread from the reset net, held in its active state for ever, through LUTs and flip-flops.
A net is '0' or '1', 'c' (unknown but settled: it follows pins and settled nets), or 'p' (may
still depend on a power-up value). All start as 'p' and only ever get more settled.
"""

import collections
import itertools
from collections.abc import Iterable

from hw.common.errors import SpikeloomError
from hw.tools.netlist import Cell, Netlist

OUTPUTS = frozenset(
    "O O5 O6 Q Q31 CO P DOADO DOBDO DOPADOP DOPBDOP DOA DOB DOC DOD DPO SPO "
    "CLKOUT0 CLKFBOUT LOCKED".split()
)


def lut(init: int, inputs: Iterable[str]) -> str:
    """Return the value of a LUT whose inputs (I0 first) have the values given."""
    inputs = list(inputs)
    free = [k for k, v in enumerate(inputs) if v not in "01"]
    base = sum(1 << k for k, v in enumerate(inputs) if v == "1")
    seen = set()
    for chosen in itertools.product((0, 1), repeat=len(free)):
        at = base + sum(bit << k for bit, k in zip(chosen, free, strict=True))
        seen.add(init >> at & 1)
        if len(seen) == 2:
            return "p" if any(inputs[k] == "p" for k in free) else "c"
    return str(seen.pop())


class _Values:
    def __init__(self, netlist: Netlist, held: dict[int, str]):
        self.held = held
        self.at: dict[int, str] = {}
        self.users: dict[int, list[Cell]] = collections.defaultdict(list)
        driven = set()
        for cell in netlist.cells:
            for port, bits in cell.connections.items():
                for bit in bits:
                    if isinstance(bit, int):
                        if port in OUTPUTS:
                            driven.add(bit)
                        else:
                            self.users[bit].append(cell)
        for bit in driven:
            self.at[bit] = "p"
        self.at.update(held)

    def bit(self, bit: int | str) -> str:
        if isinstance(bit, int):
            return self.at.get(bit, "c")  # a pin of the part
        return bit if bit in ("0", "1") else "c"

    def pin(self, cell: Cell, name: str, otherwise: str) -> str:
        bits = cell.connections.get(name)
        value = self.bit(bits[0]) if bits else otherwise
        if cell.number(f"IS_{name}_INVERTED") and value in ("0", "1"):
            return "1" if value == "0" else "0"
        return value

    def next(self, cell: Cell) -> str:
        """Return the settled value of a flip-flop."""
        for name, value in (("R", "0"), ("CLR", "0"), ("S", "1"), ("PRE", "1")):
            if name in cell.connections:
                forced, to = self.pin(cell, name, "0"), value
                break
        else:
            forced, to = "0", "0"
        if forced == "1":
            return to
        if self.pin(cell, "CE", "1") != "1":
            return "p"
        data = self.pin(cell, "D", "c")
        return data if forced == "0" or data in ("p", to) else "c" if forced == "c" else "p"

    def outputs(self, cell: Cell) -> dict[int, str]:
        kind = cell.type
        if kind.startswith("FD"):
            return self._all(cell, self.next(cell))
        if kind == "INV":
            return self._all(cell, lut(0b01, [self.bit(cell.connections["I"][0])]))
        if kind.startswith("LUT") and kind != "LUT6_2":
            ins = [self.bit(cell.connections[f"I{i}"][0]) for i in range(int(kind[3]))]
            return self._all(cell, lut(cell.number("INIT"), ins))
        if kind.startswith("SRL") or kind.startswith("RAM") or kind == "DSP48E1":
            return {}  # they hold state of their own: stay as they are
        worst = any(
            self.bit(b) == "p"
            for p, bits in cell.connections.items()
            if p not in OUTPUTS
            for b in bits
        )
        return self._all(cell, "p" if worst else "c")

    def _all(self, cell: Cell, value: str) -> dict[int, str]:
        return {
            b: value
            for p, bits in cell.connections.items()
            if p in OUTPUTS
            for b in bits
            if isinstance(b, int)
        }

    def settle(self, cells: Iterable[Cell]) -> None:
        waiting = collections.deque(cells)
        queued = {c.name for c in waiting}
        while waiting:
            cell = waiting.popleft()
            queued.discard(cell.name)
            for bit, value in self.outputs(cell).items():
                if bit in self.held or self.at[bit] == value:
                    continue
                self.at[bit] = value
                for user in self.users[bit]:
                    if user.name not in queued:
                        queued.add(user.name)
                        waiting.append(user)


def unsettled(netlist: Netlist, resets: dict[str, int]) -> set[str]:
    """Return the names of flip-flops that keep something of their power-up value through reset.

    ``resets`` gives nets by name, each with the value it has while reset is active; SpikeloomError
    where there is no net of this name.
    """
    held = {}
    for name, value in resets.items():
        if name not in netlist.netnames:
            raise SpikeloomError(f"no net {name!r} in the netlist: nothing tells of its reset")
        held.update((b, str(value)) for b in netlist.netnames.get(name, ()) if isinstance(b, int))
    values = _Values(netlist, held)
    values.settle(netlist.cells)
    return {
        c.name
        for c in netlist.cells
        if c.type.startswith("FD") and any(values.bit(b) == "p" for b in c.connections["Q"])
    }
