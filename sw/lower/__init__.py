"""Float graph to integer network."""

from sw.lower.lower import HEAD_WEIGHT_BITS, PIXEL_WEIGHT_BITS, lower

__all__ = ["HEAD_WEIGHT_BITS", "PIXEL_WEIGHT_BITS", "lower"]
