"""Digilent Nexys Video."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="nexys_video",
    title="Digilent Nexys Video",
    part="xc7a200tsbg484-1",
    platform="boards.platforms:NexysVideoPlatform",
    core_clock=80_000_000,
    # Four times the array of the Arty A7-35T, memories of networks of four times the size.
    config=Config(rows=8, width=64, row_depth=4096, col_depth=4096, res_depth=4096, pix_depth=4096),
    loader="nexysVideo",
)
