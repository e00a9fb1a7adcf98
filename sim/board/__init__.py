"""A board without a board: its whole top in a simulator, behind a serial port of this machine."""
