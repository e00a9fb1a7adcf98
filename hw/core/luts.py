"""Cells of the 7-series that count bits: a LUT of two outputs, and a counter of six bits."""

from collections.abc import Callable, Sequence
from itertools import product

from amaranth import Cat, Const, Instance, Module, Signal, Value


def lut_init(o6: Callable[..., int], o5: Callable[..., int], inputs: int) -> int:
    """Return INIT of a LUT6_2 whose I5 is tied to 1, from the boolean functions of its outputs.

    Bit ``sum(I[k] << k)`` of INIT is the value of the function at these inputs. With I5 = 1 the
    output O6 is the upper half and O5 is always the lower half. ``inputs`` (at most 5) inputs
    are passed to the functions; the others do not matter, so they may be tied to anything.
    """
    init = 0
    for point in product((0, 1), repeat=5):  # point[4] is I0
        args = point[::-1][:inputs]
        index = sum(bit << k for k, bit in enumerate(point[::-1]))
        init |= (o5(*args) & 1) << index | (o6(*args) & 1) << (32 + index)
    return init


def lut(
    m: Module, name: str, inputs: Sequence[Value], o6: Callable[..., int], o5: Callable[..., int]
) -> tuple[Value, Value]:
    """Instantiate a LUT6_2 of up to five inputs; return its outputs O6, O5."""
    assert 1 <= len(inputs) <= 5
    first, second = Signal(name=f"{name}_o6"), Signal(name=f"{name}_o5")
    pins = [*inputs, *[Const(0, 1)] * (5 - len(inputs)), Const(1, 1)]
    m.submodules[name] = Instance(
        "LUT6_2",
        p_INIT=Const(lut_init(o6, o5, len(inputs)), 64),
        **{f"i_I{k}": pin for k, pin in enumerate(pins)},
        o_O6=first,
        o_O5=second,
    )
    return first, second


def full_adder(m: Module, name: str, bits: Sequence[Value]) -> tuple[Value, Value]:
    """Return sum and carry of up to three bits: one LUT6_2."""
    return lut(m, name, bits, lambda *v: sum(v), lambda *v: sum(v) >> 1)


def six_to_three(m: Module, name: str, bits: Sequence[Value]) -> tuple[Value, Value, Value]:
    """Return the count of six bits, lowest bit first: two LUT6_2 and half a CARRY4.

    Five bits are counted in the LUTs, as a number of two bits and, where that is 4 or 5, the
    carry that leaves; the sixth bit is the carry that comes in.
    """
    assert len(bits) == 6
    five = bits[:5]
    s0, _ = lut(m, f"{name}_0", five, lambda *v: sum(v), lambda *v: 0)
    s1, d1 = lut(m, f"{name}_1", five, lambda *v: sum(v) // 2 == 1, lambda *v: sum(v) // 2 == 2)
    total, carries = Signal(4, name=f"{name}_s"), Signal(4, name=f"{name}_c")
    m.submodules[f"{name}_carry"] = Instance(
        "CARRY4",
        i_CI=Const(0, 1),
        i_CYINIT=bits[5],
        i_S=Cat(s0, s1, Const(0, 2)),
        i_DI=Cat(Const(0, 1), d1, Const(0, 2)),
        o_O=total,
        o_CO=carries,
    )
    return total[0], total[1], carries[1]
