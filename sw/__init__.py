"""Spikeloom in Python: load a trained network, run it, lower it to integers, compile it.

::

    import sw

    net = sw.load("digits")  # a shipped name, or a path; a float network
    net.run(images)  # needs torch
    q = net.lower()  # the integer network; q.run(images) is the golden model
    program = q.compile(config)
"""

import spikeloom  # noqa: F401  # first: leaves the current folder out of the path
from sw import nir
from sw.api import FloatNetwork, IntegerNetwork, load

__all__ = ["FloatNetwork", "IntegerNetwork", "load", "nir"]
