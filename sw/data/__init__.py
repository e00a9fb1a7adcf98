"""Data sets as uint8 images, with fixed splits."""

from sw.data.digits import Digits, load_digits

__all__ = ["Digits", "load_digits"]
