"""What a flash is told, and in which clocks."""

import pytest

from hw.common.errors import SpikeloomError
from hw.outside import nor
from hw.outside.nor import QUAD_OUTPUT, Read


def test_nothing_enables_a_write_that_stays():
    for quad in (False, True):
        assert all(step.code[0] != 0x06 for step in nor.steps(quad))


def test_quad_is_enabled_until_power_goes_alone():
    """Each write of a register comes right after the command that makes it volatile."""
    codes = [step.code for step in nor.steps(True)]
    written = [n for n, code in enumerate(codes) if len(code) > 1]
    assert [codes[n] for n in written] == [(0x01, 0x40), (0x31, 0x02)]
    assert all(codes[n - 1] == (0x50,) for n in written)
    assert codes[: -2 * len(written)] == [step.code for step in nor.steps(False)]


def test_a_chip_has_time_to_wake():
    waits = {step.code[0]: step.wait for step in nor.steps(True)}
    assert (waits[0xAB], waits[0x99]) == (100_000, 100_000)
    assert min(waits.values()) == nor.DESELECTED


@pytest.mark.parametrize(
    ("read", "clocks"), [(QUAD_OUTPUT, 40), (Read(opcode=0xEB, lanes=4, dummy=4), 20)]
)
def test_clocks_of_a_command(read, clocks):
    assert read.clocks == clocks


def test_cycles_are_rounded_up():
    assert nor.cycles(100, 50_000_000) == 5
    assert nor.cycles(100, 85_000_000) == 9


def test_a_core_that_is_too_fast_is_refused():
    nor.check_clock(100_000_000)
    with pytest.raises(SpikeloomError, match=r"clock would have 60 MHz, and 50 MHz is the most"):
        nor.check_clock(120_000_000)


@pytest.mark.parametrize(("clock", "latency"), [(50_000_000, 104), (80_000_000, 107)])
def test_contract(clock, latency):
    found = nor.contract(clock)
    assert (found.latency, found.period) == (latency, 16)
