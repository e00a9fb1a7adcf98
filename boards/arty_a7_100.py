"""Digilent Arty A7-100T."""

from boards import Board
from boards.memory import Flash
from hw.arch import Config

BOARD = Board(
    name="arty_a7_100",
    title="Digilent Arty A7-100T",
    part="xc7a100ticsg324-1L",
    platform="amaranth_boards.arty_a7:ArtyA7_100Platform",
    core_clock=50_000_000,
    config=Config(rows=8),
    loader="arty_a7_100t",
    # An S25FL128S, whose quad-enable bit stays, or an N25Q128 or MT25QL128, which have none; a
    # configuration takes 3.8 MB.
    outside=(Flash(size=16 << 20, offset=0x400000, volatile_quad=False),),
)
