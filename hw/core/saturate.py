"""Saturation to the width of a membrane."""

from typing import Any

from amaranth import Cat, Mux

from hw.arch.formats import MEMBRANE_BITS


def saturate(value: Any) -> Any:
    """Return a signed value of MEMBRANE_BITS + 1 clipped to MEMBRANE_BITS."""
    assert value.shape().signed and len(value) == MEMBRANE_BITS + 1
    negative = value[-1]
    most = Cat((~negative).replicate(MEMBRANE_BITS - 1), negative)
    return Mux(value[-1] == value[-2], value[:-1], most).as_signed()
