"""Platforms of our own: pins as the boards' constraint files have them."""

import pytest

import boards
from hw.build import board_top
from tests.synth.designs import Echo

#: From litex-boards (BSD-2-Clause), which has them from Muse Lab and from Digilent.
PINS = {
    "colorlight_i5": {
        "clk25_0__io": "P3",
        "uart_0__rx__io": "H18",
        "uart_0__tx__io": "J17",
        "led_0__io": "U16",
    },
    "nexys_video": {
        "clk100_0__io": "R4",
        "rst_0__io": "G4",
        "uart_0__rx__io": "V18",
        "uart_0__tx__io": "AA19",
        "led_0__io": "T14",
        "led_1__io": "T15",
        "led_2__io": "T16",
    },
}


@pytest.mark.parametrize("name", PINS)
def test_pins(name):
    made = board_top.elaborate(boards.get(name), Echo([1]))
    assert {p.port: p.pin for p in made.pins} == PINS[name]


def test_levels_of_the_nexys_video():
    """LEDs and reset stand on banks of other voltages."""
    pins = board_top.elaborate(boards.get("nexys_video"), Echo([1])).pins
    levels = {p.port: dict(p.attributes)["IOSTANDARD"] for p in pins}
    assert levels["uart_0__rx__io"] == levels["clk100_0__io"] == "LVCMOS33"
    assert levels["led_2__io"] == "LVCMOS25"
    assert levels["rst_0__io"] == "LVCMOS15"
