"""Saturation to the width of a membrane."""

from typing import Any

from amaranth import Cat, Mux
from amaranth.hdl import unsigned
from amaranth.lib import data

from hw.arch.formats import MEMBRANE_BITS


class Unclipped(data.Struct):
    """A number that is still to be clipped: behind a register, so that its readers take it in."""

    low: unsigned(MEMBRANE_BITS)  #: Its lowest bits.
    fits: unsigned(1)  #: They are the number.
    negative: unsigned(1)  #: It is below 0.


def clip(number: Any) -> Any:
    """Return the value of MEMBRANE_BITS that an `Unclipped` stands for."""
    most = Cat((~number.negative).replicate(MEMBRANE_BITS - 1), number.negative)
    return Mux(number.fits, number.low, most).as_signed()


def saturate(value: Any) -> Any:
    """Return a signed value of MEMBRANE_BITS + 1 clipped to MEMBRANE_BITS."""
    assert value.shape().signed and len(value) == MEMBRANE_BITS + 1
    negative = value[-1]
    most = Cat((~negative).replicate(MEMBRANE_BITS - 1), negative)
    return Mux(value[-1] == value[-2], value[:-1], most).as_signed()
