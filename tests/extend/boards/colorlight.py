"""Colorlight 5A-75B: an ECP5 in another package, whose only LED shares a pin with the UART."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="colorlight",
    title="Colorlight 5A-75B",
    part="LFE5U-25F-6BG256C",
    platform="amaranth_boards.colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
    core_clock=50_000_000,
    config=Config(cols=8),
)
