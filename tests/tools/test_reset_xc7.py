"""Flip-flops that reset settles, and those that keep their power-up value."""

import pytest

from hw.tools.check_xc7 import check
from hw.tools.reset_xc7 import lut
from tests.synth.designs import Sticky
from tests.tools.netlists import synthesise


def test_reset_that_reaches_every_one(tmp_path):
    """A register that reset sets to 1 through a LUT is fine; one that nothing resets is not."""
    good = synthesise(Sticky(reset_less=False), tmp_path / "good")
    bad = synthesise(Sticky(reset_less=True), tmp_path / "bad")
    assert any(c.text("INIT") == "1" for c in good.cells)
    assert check(good, {"rst": 1}) == []
    assert check(good, {}) != []
    assert any("power-up" in f for f in check(bad, {"rst": 1}))


@pytest.mark.parametrize(
    ("init", "inputs", "value"),
    [
        (0b1000, "11", "1"),
        (0b1000, "1c", "c"),
        (0b1000, "1p", "p"),
        (0b1000, "0p", "0"),
        (0b1110, "1p", "1"),
        (0b1110, "0p", "p"),
        (0b1110, "pc", "p"),
        (0b01, "1", "0"),
    ],
)
def test_lut_values(init, inputs, value):
    assert lut(init, inputs) == value
