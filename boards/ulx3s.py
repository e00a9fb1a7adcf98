"""Radiona ULX3S with an LFE5U-85F."""

from boards import Board, memory
from hw.arch import Config

BOARD = Board(
    name="ulx3s",
    title="Radiona ULX3S (85F)",
    part="LFE5U-85F-6BG381C",
    platform="amaranth_boards.ulx3s:ULX3S_85F_Platform",
    core_clock=50_000_000,
    # The array of the Arty 35T with deeper memories: networks of twice the size fit.
    config=Config(row_depth=4096, col_depth=2048, res_depth=2048, pix_depth=4096),
    loader="ulx3s",
    outside=memory.ULX3S,
)
