"""``python -m sim.card``: the first name of ``benchmarks.card``, in a clone only."""

import sys

from spikeloom.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["card", *sys.argv[1:]]))
