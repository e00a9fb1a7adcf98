"""``python -m sw.train.ablation``: the first name of ``benchmarks.ablation``, in a clone only."""

import sys

from spikeloom.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["ablation", *sys.argv[1:]]))
