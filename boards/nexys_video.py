"""Digilent Nexys Video."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="nexys_video",
    title="Digilent Nexys Video",
    part="xc7a200tsbg484-1",
    platform="boards.platforms:NexysVideoPlatform",
    core_clock=75_000_000,
    # Four times the array of the Arty A7-35T; memories of 2048 words fill whole block RAMs, and of
    # more they would take parity bits, which some routers lose.
    config=Config(rows=8, width=64, col_depth=2048, res_depth=2048, pix_depth=2048),
    loader="nexysVideo",
)
