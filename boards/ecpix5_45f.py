"""LambdaConcept ECPIX-5 with an LFE5UM5G-45F."""

from boards import Board
from hw.arch import Config

BOARD = Board(
    name="ecpix5_45f",
    title="LambdaConcept ECPIX-5 (45F)",
    part="LFE5UM5G-45F-8BG554C",
    platform="amaranth_boards.ecpix5:ECPIX545Platform",
    core_clock=50_000_000,
    # The core of the ULX3S (45F).
    config=Config(),
    loader="ecpix5",
)
