"""Float graph to integer network."""

from sw.lower.choices import choices
from sw.lower.search import HEAD_WEIGHT_BITS, lower

__all__ = ["HEAD_WEIGHT_BITS", "choices", "lower"]
