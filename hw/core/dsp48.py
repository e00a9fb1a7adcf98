"""The DSP48E1 of the 7-series, with what all that use it leave alone."""

from collections.abc import Collection
from typing import Any

from amaranth import ClockSignal, Const, Instance

ENABLES = "A1 A2 B1 B2 C M P AD D CTRL ALUMODE CARRYIN INMODE".split()
RESETS = "A B C D M P CTRL ALLCARRYIN ALUMODE INMODE".split()


def dsp48e1(*, registers: Collection[str], enabled: Collection[str], **pins: Any) -> Instance:
    """Return a DSP48E1 whose adder is one of 48 bits, without cascade, pre-adder or reset.

    Parameters
    ----------
    registers : names of AREG, BREG, CREG, MREG, PREG, OPMODEREG, ALUMODEREG less REG: those that
        are there, one deep; of A and B that is the second of two, which CEA2 and CEB2 enable.
    enabled : names of the enables that are 1, less CE.
    pins : further parameters and connections, as `amaranth.Instance` takes them; they replace those
        that are set here.
    """
    depth = {
        f"p_{name}REG": int(name in registers)
        for name in ("A", "B", "C", "M", "P", "OPMODE", "ALUMODE")
    }
    settings: dict[str, Any] = {
        "p_A_INPUT": "DIRECT",
        "p_B_INPUT": "DIRECT",
        "p_USE_DPORT": "FALSE",
        "p_USE_SIMD": "ONE48",
        "p_USE_PATTERN_DETECT": "NO_PATDET",
        **depth,
        "p_ACASCREG": depth["p_AREG"],
        "p_BCASCREG": depth["p_BREG"],
        **{f"p_{name}REG": 0 for name in ("AD", "D", "INMODE", "CARRYIN", "CARRYINSEL")},
        "i_CLK": ClockSignal(),
        "i_ALUMODE": Const(0, 4),
        "i_D": Const(0, 25),
        "i_INMODE": Const(0, 5),
        "i_CARRYINSEL": Const(0, 3),
        "i_CARRYIN": Const(0, 1),
        "i_ACIN": Const(0, 30),
        "i_BCIN": Const(0, 18),
        "i_PCIN": Const(0, 48),
        "i_CARRYCASCIN": Const(0, 1),
        "i_MULTSIGNIN": Const(0, 1),
        **{f"i_CE{name}": Const(int(name in enabled), 1) for name in ENABLES},
        **{f"i_RST{name}": Const(0, 1) for name in RESETS},
    }
    return Instance("DSP48E1", **settings | pins)
