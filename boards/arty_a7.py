"""Digilent Arty A7-35T."""

from boards import Board
from boards.memory import Flash
from hw.arch import Config

BOARD = Board(
    name="arty_a7",
    title="Digilent Arty A7-35T",
    part="xc7a35ticsg324-1L",
    platform="amaranth_boards.arty_a7:ArtyA7_35Platform",
    core_clock=80_000_000,
    config=Config(),
    loader="arty_a7_35t",
    # An S25FL128S, whose quad-enable bit stays, or an N25Q128 or MT25QL128, which have none; a
    # configuration takes 2.2 MB.
    outside=(Flash(size=16 << 20, offset=0x400000, volatile_quad=False),),
)
