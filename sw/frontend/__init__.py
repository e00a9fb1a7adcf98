"""Checkpoints in, float graph out."""

from sw.frontend.loader import load

__all__ = ["load"]
