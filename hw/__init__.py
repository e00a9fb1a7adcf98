"""Gateware of Spikeloom: the contract (`hw.arch`), the core, the board tops and the build."""
