"""Digilent Nexys 4 DDR: another 7-series board."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="nexys4ddr",
    title="Digilent Nexys 4 DDR",
    part="xc7a100tcsg324-1",
    platform="amaranth_boards.nexys4ddr:Nexys4DDRPlatform",
    core_clock=50_000_000,
    config=Config(rows=8),
    loader="nexys_a7_100",
)
