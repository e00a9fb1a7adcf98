"""Float graph to integer network."""

from sw.lower.choices import choices
from sw.lower.heads import HEAD_WEIGHT_BITS
from sw.lower.lower import lower

__all__ = ["HEAD_WEIGHT_BITS", "choices", "lower"]
