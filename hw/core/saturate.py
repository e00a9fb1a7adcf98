"""Saturation to the width of a membrane."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import signed

from hw.arch.formats import MEMBRANE_BITS, MEMBRANE_MAX, MEMBRANE_MIN


def saturate(m: Module, value, *, name: str) -> Signal:
    """Return a signed value clipped to MEMBRANE_BITS, combinationally, as signal ``name``."""
    out = Signal(signed(MEMBRANE_BITS), name=name)
    top = value[MEMBRANE_BITS - 1 :]
    fits = (top == 0) | top.all()
    m.d.comb += out.eq(
        Mux(fits, value[:MEMBRANE_BITS].as_signed(), Mux(value[-1], MEMBRANE_MIN, MEMBRANE_MAX))
    )
    return out
