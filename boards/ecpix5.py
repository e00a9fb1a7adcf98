"""LambdaConcept ECPIX-5 with an LFE5UM5G-85F."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="ecpix5",
    title="LambdaConcept ECPIX-5 (85F)",
    part="LFE5UM5G-85F-8BG554C",
    platform="amaranth_boards.ecpix5:ECPIX585Platform",
    core_clock=50_000_000,
    # The core of the ULX3S (85F).
    config=Config(row_depth=4096, col_depth=2048, res_depth=2048, pix_depth=4096),
    loader="ecpix5_r03",
)
