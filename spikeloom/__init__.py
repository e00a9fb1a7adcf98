"""The command ``spikeloom``, and what all of its packages need to be found.

``hw``, ``sw``, ``sim`` and ``boards`` import this package first. ``python -m hw.build`` puts the
current folder before all others in Python's path; a ``sim.py`` or ``numpy.py`` of the user's own
that lies there is not what our modules mean, so commands of ours leave that folder out.
"""

import os
import sys

PACKAGES = ("hw", "sw", "sim", "boards", "benchmarks", "spikeloom")
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _leave_folder() -> None:
    """Where a command of ours starts by ``python -m``, take the current folder out of the path."""
    starting = sys.argv[:1] == ["-m"] and not sys.flags.safe_path
    if not starting or not sys.path or sys.path[0] == _ROOT:
        return
    words = [word.removeprefix("-m").partition(".")[0] for word in sys.orig_argv[1:]]
    if any(word in PACKAGES for word in words):
        del sys.path[0]


_leave_folder()
