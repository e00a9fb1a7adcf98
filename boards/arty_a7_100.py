"""Digilent Arty A7-100T."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="arty_a7_100",
    title="Digilent Arty A7-100T",
    family="xc7",
    part="xc7a100ticsg324-1L",
    clock=100_000_000,
    vco=800_000_000,
    core_clock=50_000_000,
    config=Config(rows=8),
    platform="arty_a7:ArtyA7_100Platform",
    clock_resource="clk100",
    reset_resource="rst",
    resources={"lut": 63_400, "ff": 126_800, "bram36": 135, "dsp": 240},
    loader="arty_a7_100t",
    database="xc7a100tcsg324-1",
)
