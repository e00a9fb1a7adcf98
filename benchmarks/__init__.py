"""Measurements beside their floors; each module is a command, none asserts a time."""

import spikeloom  # noqa: F401  # first: leaves the current folder out of the path
