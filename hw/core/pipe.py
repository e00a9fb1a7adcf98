"""Delay lines and systolic chains."""

from amaranth import Module, Signal
from amaranth.hdl import Shape


def delay(m: Module, value, cycles: int, *, name: str, reset: bool = False):
    """Return ``value`` delayed by ``cycles`` registers; cleared by reset only with ``reset``."""
    for n in range(cycles):
        q = Signal(Shape.cast(value.shape()), name=f"{name}_d{n + 1}", reset_less=not reset)
        m.d.sync += q.eq(value)
        value = q
    return value


def chain(m: Module, value, length: int, *, name: str, reset: bool = False) -> list:
    """Return ``length`` taps of a chain: ``value`` itself, then one register more each."""
    taps = [value]
    for n in range(1, length):
        taps.append(delay(m, taps[-1], 1, name=f"{name}_{n}", reset=reset))
    return taps
