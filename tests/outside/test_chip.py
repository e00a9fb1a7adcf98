"""Times of an SDRAM as cycles of its clock."""

import pytest

from hw.common.errors import SpikeloomError
from hw.outside.chip import ULX3S


@pytest.mark.parametrize(
    ("nanoseconds", "clock", "cycles"),
    [(0, 50_000_000, 0), (20, 50_000_000, 1), (21, 50_000_000, 2), (44, 75_000_000, 4),
     (40, 75_000_000, 3), (200_000, 75_000_000, 15_000), (66, 100_000_000, 7)],
)  # fmt: skip
def test_cycles(nanoseconds, clock, cycles):
    assert ULX3S.cycles(nanoseconds, clock) == cycles


def test_a_clock_that_is_too_fast():
    with pytest.raises(SpikeloomError) as error:
        ULX3S.cycles(20, 100_000_001)
    assert str(error.value) == (
        "SDRAM clock: 100000001 Hz, and the SDRAM of this board runs at 100000000 Hz at most with "
        "a CAS latency of 2; choose a lower clock"
    )


def test_sizes():
    assert ULX3S.address_bits == 24
    assert 2**ULX3S.address_bits * ULX3S.width == 32 * 8 << 20


def test_every_row_is_refreshed_in_time():
    """A cycle more than asked for, at the slowest clock, is still in time."""
    assert (ULX3S.refresh + 1e9 / 10e6) * ULX3S.rows < 64e6
