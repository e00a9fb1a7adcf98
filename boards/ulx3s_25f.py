"""Radiona ULX3S with an LFE5U-25F."""

from boards import Board, memory
from hw.arch import Config

BOARD = Board(
    name="ulx3s_25f",
    title="Radiona ULX3S (25F)",
    part="LFE5U-25F-6BG381C",
    platform="amaranth_boards.ulx3s:ULX3S_25F_Platform",
    core_clock=50_000_000,
    # Half the columns, membranes of 2 bits: the block RAM that is left holds mnist-bestformer.
    config=Config(cols=8, row_depth=1024, col_depth=1536, state_bits=2, pixels=2),
    loader="ulx3s",
    outside=memory.ULX3S,
)
