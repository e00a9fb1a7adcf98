"""Selection of one of several words by the multiplexers behind an ECP5 slice's LUTs."""

from collections.abc import Sequence

from amaranth import Cat, Const, Instance, Module, Mux, Signal, Value

_MUX = 0b11001010_11001010  # LUT4: D does not matter, C chooses A (0) or B (1)


def select(m: Module, values: Sequence[Value], index: Value, *, name: str) -> Value:
    """Return ``values[index]``, of a power of two of values: half a LUT4 a bit of each of them.

    PFUMX and L6MUX21 make one bit of up to eight of four LUT4; they stand behind the LUTs and take
    none. More than eight values are halved first, by ordinary LUTs.
    """
    assert len(values) == 1 << len(index) >= 4
    if len(values) > 8:
        half = len(values) // 2
        low, high = (
            select(m, part, index[:-1], name=f"{name}_{n}")
            for n, part in enumerate((values[:half], values[half:]))
        )
        return Mux(index[-1], high, low)
    out = []
    for n in range(len(values[0])):
        bits = [value[n] for value in values]
        for level, choose in enumerate(index):
            pairs = list(zip(bits[::2], bits[1::2], strict=True))
            bits = [
                _two(m, level, *pair, choose, f"{name}_{n}_{level}_{k}")
                for k, pair in enumerate(pairs)
            ]
        out += bits
    return Cat(out)


def _two(m: Module, level: int, zero: Value, one: Value, choose: Value, name: str) -> Value:
    z = Signal(name=name)
    if level == 0:
        pins = {"i_A": zero, "i_B": one, "i_C": choose, "i_D": Const(1, 1)}
        cell = Instance("LUT4", p_INIT=Const(_MUX, 16), **pins, o_Z=z)
    elif level == 1:
        cell = Instance("PFUMX", i_BLUT=zero, i_ALUT=one, i_C0=choose, o_Z=z)
    else:
        cell = Instance("L6MUX21", i_D0=zero, i_D1=one, i_SD=choose, o_Z=z)
    m.submodules[name] = cell
    return z
