"""Digilent Arty A7-100T."""

from boards import Board, memory
from hw.arch import Config

BOARD = Board(
    name="arty_a7_100",
    title="Digilent Arty A7-100T",
    part="xc7a100ticsg324-1L",
    platform="amaranth_boards.arty_a7:ArtyA7_100Platform",
    core_clock=50_000_000,
    config=Config(rows=8),
    loader="arty_a7_100t",
    outside=memory.ARTY_A7,
)
