"""The golden model: what the hardware must compute, bit for bit, in numpy."""

from sw.golden.execute import run
from sw.golden.ops import (
    affine,
    and_count,
    head_sum,
    lif_step,
    pixel_centre,
    pixel_sum,
    pool3x3,
    pool_counts,
    popcount_dot,
    residual_add,
    saturate,
    shortcut_add,
    state_code,
    state_step,
    token_mean,
    xnor_count,
)

__all__ = [
    "affine",
    "and_count",
    "head_sum",
    "lif_step",
    "pixel_centre",
    "pixel_sum",
    "pool3x3",
    "pool_counts",
    "popcount_dot",
    "residual_add",
    "run",
    "saturate",
    "shortcut_add",
    "state_code",
    "state_step",
    "token_mean",
    "xnor_count",
]
