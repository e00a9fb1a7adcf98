"""Digilent Cmod A7-35T."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="cmod_a7",
    title="Digilent Cmod A7-35T",
    part="xc7a35tcpg236-1",
    platform="amaranth_boards.cmod_a7:CmodA7_35Platform",
    core_clock=80_000_000,
    # The core of the Arty A7-35T, which has the same die.
    config=Config(),
    loader="cmoda7_35t",
)
