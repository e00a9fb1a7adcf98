"""Data sets as uint8 images, with stated splits.

``load(name)`` gives any of `NAMES`; ``python -m sw.data fetch NAME`` fetches it first.
"""

from sw.data.catalogue import NAMES
from sw.data.dataset import DataSet, split_validation
from sw.data.digits import Digits, load_digits
from sw.data.loader import load

__all__ = ["NAMES", "DataSet", "Digits", "load", "load_digits", "split_validation"]
