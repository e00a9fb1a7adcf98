"""Cells of the 7-series: a LUT of two outputs, what it does for two bits, a counter of six."""

from collections.abc import Callable, Sequence
from itertools import product

from amaranth import Cat, Const, Instance, Module, Mux, Signal, Value


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


def muxes(m: Module, name: str, choose: Value, zero: Value, one: Value, *, target: str) -> Value:
    """Return ``one`` where ``choose``, else ``zero``: on ``xc7`` one LUT6_2 for two bits."""
    if target != "xc7":
        return Mux(choose, one, zero)
    out: list[Value] = []
    for n in range(0, len(zero), 2):
        pins = [choose, *zero[n : n + 2], *one[n : n + 2]]
        if len(pins) == 3:
            out.append(Mux(choose, one[n], zero[n]))
        else:
            both = lut(m, f"{name}_{n}", pins, lambda c, _, z, __, o: o if c else z, _first_of_two)
            out += both[::-1]
    return Cat(*out)


def _first_of_two(c: int, zero: int, _: int, one: int, __: int) -> int:
    return one if c else zero


def ors(
    m: Module, name: str, bits: Value, terms: Sequence[Sequence[int]], *, target: str
) -> list[Value]:
    """Return for each of ``terms`` the or of those bits: on ``xc7``, two that have five at most
    between them share a LUT6_2.
    """
    out: dict[int, Value] = {}
    waiting = [k for k, term in enumerate(terms) if len(term) > 1] if target == "xc7" else []
    while waiting:
        k, *rest = waiting
        fits = [n for n in rest if len({*terms[k], *terms[n]}) <= 5]
        waiting = rest
        if fits:
            n = max(fits, key=lambda n: len({*terms[k]} & {*terms[n]}))
            waiting = [other for other in rest if other != n]
            pins = sorted({*terms[k], *terms[n]})
            functions = [_or_of([pins.index(bit) for bit in terms[at]]) for at in (k, n)]
            out[k], out[n] = lut(m, f"{name}_{k}", [bits[pin] for pin in pins], *functions)
    for k, term in enumerate(terms):
        if k not in out:
            out[k] = Cat(*(bits[bit] for bit in term)).any()
    return [out[k] for k in range(len(terms))]


def _or_of(places: Sequence[int]) -> Callable[..., int]:
    return lambda *v: int(any(v[at] for at in places))


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
