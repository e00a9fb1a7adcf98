"""Radiona ULX3S with an LFE5U-45F."""

from boards import Board, memory
from hw.arch import Config

BOARD = Board(
    name="ulx3s_45f",
    title="Radiona ULX3S (45F)",
    part="LFE5U-45F-6BG381C",
    platform="amaranth_boards.ulx3s:ULX3S_45F_Platform",
    core_clock=50_000_000,
    config=Config(),
    loader="ulx3s",
    outside=memory.ULX3S,
)
