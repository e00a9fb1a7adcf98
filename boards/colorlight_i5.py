"""Colorlight i5 in its extension board."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="colorlight_i5",
    title="Colorlight i5",
    part="LFE5U-25F-6BG381C",
    platform="boards.platforms:ColorlightI5Platform",
    core_clock=50_000_000,
    # The core of the ULX3S (25F).
    config=Config(cols=8, row_depth=1024, col_depth=1536, state_bits=2, pixels=2),
    loader="colorlight-i5",
)
