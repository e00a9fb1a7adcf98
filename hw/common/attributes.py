"""Attributes by which the core's RTL tells targets what they may rely on."""

APART = "apart"  #: Of a memory: no word whose reading matters is written while it is read.
