"""The command ``spikeloom``, and what all of its packages need to be found.

``hw``, ``sw``, ``sim`` and ``boards`` import this package first. ``python -m hw.build`` puts the
current folder before all others in Python's path; a ``sim.py`` or ``numpy.py`` of the user's own
that lies there is not what our modules mean, so commands of ours leave that folder out.
"""

import os
import signal
import sys

__version__ = "0.1.0"  #: The one place of it; pyproject.toml reads this line.
PACKAGES = ("hw", "sw", "sim", "boards", "benchmarks", "spikeloom")
#: Folder of our packages: the root of a checkout, or where they are installed.
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _home() -> None:
    """Where the user has no home directory, name one that cannot be made.

    Packages below ours then take their fallbacks for one that cannot be written; without a name
    some of them fail.
    """
    if os.name == "posix" and os.path.expanduser("~") == "~":
        os.environ["HOME"] = os.devnull


def _start() -> None:
    """Where a command of ours starts by ``python -m``, take the current folder out of the path.

    An interrupt while its modules are imported ends it without a traceback; ``hw.common.cli``
    sees to later ones.
    """
    words = [word.removeprefix("-m").partition(".")[0] for word in sys.orig_argv[1:]]
    if sys.argv[:1] != ["-m"] or not any(word in PACKAGES for word in words):
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if not sys.flags.safe_path and sys.path and sys.path[0] != ROOT:
        del sys.path[0]


_home()
_start()
