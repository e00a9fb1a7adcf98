"""Platforms of boards that amaranth-boards does not have: clock, reset, LED and UART alone."""

from amaranth.build import Attrs, Clock, Pins, PinsN, Resource
from amaranth.vendor import LatticeECP5Platform, XilinxPlatform
from amaranth_boards.resources import LEDResources, UARTResource

_LATTICE = Attrs(IO_TYPE="LVCMOS33")
_XILINX = Attrs(IOSTANDARD="LVCMOS33")


class ColorlightI5Platform(LatticeECP5Platform):
    """Colorlight i5, version 7.0, in Muse Lab's extension board, whose USB has UART and JTAG."""

    device = "LFE5U-25F"
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    resources = [
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), _LATTICE),
        *LEDResources(pins="U16", invert=True, attrs=_LATTICE),
        UARTResource(0, rx="H18", tx="J17", attrs=_LATTICE),
    ]
    connectors = []


class NexysVideoPlatform(XilinxPlatform):
    """Digilent Nexys Video."""

    device = "xc7a200t"
    package = "sbg484"
    speed = "1"
    default_clk = "clk100"
    default_rst = "rst"
    resources = [
        Resource("clk100", 0, Pins("R4", dir="i"), Clock(100e6), _XILINX),
        Resource("rst", 0, PinsN("G4", dir="i"), Attrs(IOSTANDARD="LVCMOS15")),
        *LEDResources(pins="T14 T15 T16 U16 V15 W16 W15 Y13", attrs=Attrs(IOSTANDARD="LVCMOS25")),
        UARTResource(0, rx="V18", tx="AA19", attrs=_XILINX),
    ]
    connectors = []
