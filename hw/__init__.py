"""Gateware of Spikeloom: the contract (`hw.arch`), the core, the board tops and the build."""

import spikeloom  # noqa: F401  # first: leaves the current folder out of the path
