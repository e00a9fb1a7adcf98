"""The core that faults are put into, and the link before it."""

from hw.arch import Config

#: Memories so small that the networks played fill them, and no bit of an address rests.
CONFIG = Config(
    rows=4, cols=8, width=32, row_depth=512, col_depth=2048, res_depth=512, pix_depth=1024,
    prog_depth=1024,
)  # fmt: skip
CLOCK = 50_000_000  #: Hz, as the link tells it.
