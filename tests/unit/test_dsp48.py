"""The one place where a DSP48E1 is made: every pin connected, and what its users say on top."""

import pytest
from amaranth import Const, Module, Signal
from amaranth.back import rtlil

from hw.core.dsp48 import ENABLES, RESETS, dsp48e1


def made(**pins):
    """RTLIL of a module with a DSP48E1."""
    m = Module()
    m.submodules.dsp = dsp48e1(registers=("A", "P"), enabled=("A2", "P"), o_P=Signal(48), **pins)
    m.d.sync += Signal().eq(1)  # whose clock it has
    return rtlil.convert(m, ports=[])


def test_registers_and_enables_are_those_that_are_named():
    text = made()
    for name, depth in {"A": 1, "ACASC": 1, "B": 0, "BCASC": 0, "C": 0, "M": 0, "P": 1}.items():
        assert f"parameter \\{name}REG {depth}\n" in text
    for name in ENABLES:
        assert f"connect \\CE{name} 1'{int(name in ('A2', 'P'))}\n" in text
    for name in RESETS:
        assert f"connect \\RST{name} 1'0\n" in text


def test_what_a_user_gives_replaces_what_is_set_here():
    assert "connect \\ALUMODE 4'0000\n" in made()
    assert "connect \\ALUMODE 4'0011\n" in made(i_ALUMODE=Const(3, 4))


@pytest.mark.parametrize("mode", ["SIMD", "DPORT", "PATTERN_DETECT"])
def test_modes_that_stay_off(mode):
    off = {"SIMD": "ONE48", "DPORT": "FALSE", "PATTERN_DETECT": "NO_PATDET"}
    assert f'parameter \\USE_{mode} "{off[mode]}"\n' in made()
