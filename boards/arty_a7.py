"""Digilent Arty A7-35T."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="arty_a7",
    title="Digilent Arty A7-35T",
    family="xc7",
    part="xc7a35ticsg324-1L",
    clock=100_000_000,
    vco=800_000_000,
    core_clock=50_000_000,
    config=Config(),
    platform="arty_a7:ArtyA7_35Platform",
    clock_resource="clk100",
    reset_resource="rst",
    resources={"lut": 20_800, "ff": 41_600, "bram36": 50, "dsp": 90},
    loader="arty_a7_35t",
    database="xc7a35tcsg324-1",
)
