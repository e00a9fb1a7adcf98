"""Float graph to integer network."""

from sw.lower.heads import HEAD_WEIGHT_BITS
from sw.lower.lower import lower

__all__ = ["HEAD_WEIGHT_BITS", "lower"]
