"""Float graph to integer network."""

from sw.lower.heads import HEAD_WEIGHT_BITS
from sw.lower.lower import lower
from sw.lower.walk import PIXEL_WEIGHT_BITS, QUANTISED_PIXEL_BITS

__all__ = ["HEAD_WEIGHT_BITS", "PIXEL_WEIGHT_BITS", "QUANTISED_PIXEL_BITS", "lower"]
