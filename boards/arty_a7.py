"""Digilent Arty A7-35T."""

from boards import Board, memory
from hw.arch import Config

BOARD = Board(
    name="arty_a7",
    title="Digilent Arty A7-35T",
    part="xc7a35ticsg324-1L",
    platform="amaranth_boards.arty_a7:ArtyA7_35Platform",
    core_clock=80_000_000,
    config=Config(),
    loader="arty_a7_35t",
    outside=memory.ARTY_A7,
)
