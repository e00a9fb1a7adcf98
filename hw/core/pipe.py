"""Delay lines, systolic chains, and pipelines that know their distance from tau."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.hdl import Shape, Value
from amaranth.lib import data


def delay(m: Module, value, cycles: int, *, name: str, reset: bool = False):
    """Return ``value`` delayed by ``cycles`` registers; cleared by reset only with ``reset``."""
    assert cycles >= 0, f"{name}: {cycles} registers would have to look ahead"
    for n in range(cycles):
        q = Signal(Shape.cast(value.shape()), name=f"{name}_d{n + 1}", reset_less=not reset)
        m.d.sync += q.eq(value)
        value = q
    return value


def chain(m: Module, value, length: int, *, name: str, reset: bool = False) -> list:
    """Return ``length`` taps of a chain: ``value`` itself, then one register more each."""
    taps = [value]
    for n in range(1, length):
        taps.append(later(m, taps[-1], name=f"{name}_{n}", cleared=(name,) if reset else ()))
    return taps


def later(m: Module, value, *, name: str, cleared: tuple[str, ...] = ()) -> Any:
    """Return ``value`` one register later; of a struct each field has a register of its own.

    Reset clears only the fields named in ``cleared``, or the plain value if it names anything.
    """
    if not isinstance(value, data.View):
        return delay(m, value, 1, name=name, reset=bool(cleared))
    fields = {
        field: delay(m, Value.cast(value[field]), 1, name=f"{name}_{field}", reset=field in cleared)
        for field, _ in data.Layout.cast(value.shape())
    }
    return data.View(value.shape(), Cat(*fields.values()))


class Pipeline:
    """A value or struct that moves on by one register a cycle and knows where it stands.

    Cycles count from tau (or from the issue of a word) as in `hw.arch.timing`. A reader asks for
    a cycle, and as many registers are made as lie between: who adds a register anywhere changes
    one number of `hw.arch.timing`, and every pipeline follows. A cycle before the value's own is
    refused. Ask outside of ``m.If``: registers belong to the context that they are made in.

    Parameters
    ----------
    value : what moves; a plain value, or a view of a struct.
    start : int
        The cycle at which ``value`` stands.
    name : str
        Of the registers.
    cleared : tuple of str
        Fields that reset clears; the others keep what they have. (A plain value: any name.)
    """

    def __init__(self, m: Module, value, start: int, *, name: str, cleared: tuple[str, ...] = ()):
        self.m, self.start, self.name, self.cleared = m, start, name, cleared
        self._stages: list[Any] = [value]

    def at(self, cycle: int) -> Any:
        """Return the value as it stands at ``cycle``."""
        assert cycle >= self.start, f"{self.name} stands at {self.start}, too late for {cycle}"
        while self.start + len(self._stages) <= cycle:
            name = f"{self.name}_at{self.start + len(self._stages)}"
            self._stages.append(later(self.m, self._stages[-1], name=name, cleared=self.cleared))
        return self._stages[cycle - self.start]
