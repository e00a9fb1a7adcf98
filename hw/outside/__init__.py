"""Memories outside the chip: a controller of each, behind `hw.core.outside.OutsidePort`."""
