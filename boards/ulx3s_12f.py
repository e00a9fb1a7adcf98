"""Radiona ULX3S with an LFE5U-12F."""

from boards import Board, memory
from hw.arch import Config

BOARD = Board(
    name="ulx3s_12f",
    title="Radiona ULX3S (12F)",
    part="LFE5U-12F-6BG381C",
    platform="amaranth_boards.ulx3s:ULX3S_12F_Platform",
    core_clock=50_000_000,
    # The core of the 25F, whose die it has.
    config=Config(cols=8, row_depth=1024, col_depth=1536, state_bits=2, pixels=2),
    loader="ulx3s",
    outside=memory.ULX3S,
)
