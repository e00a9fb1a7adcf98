"""Time of the golden model on the whole digits set: ``python -m benchmarks.golden``.

The numba kernels, the plain numpy ones and the float network (torch) run side by side, in rounds,
so that whatever else the machine does falls on all three. Everything is warm before it is timed.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

import sw
from benchmarks.floor import Floor, plain
from hw.common.cli import command
from sw.data import load_digits

LIMIT = Floor(bound=5, unit="s", digits=2)


def rounds(runs: dict[str, Callable[[], object]], count: int) -> dict[str, list[float]]:
    """Return seconds of each run in each of ``count`` rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(count):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return seconds


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the figures; 1 where the kernels disagree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.golden", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the median counts (%(default)s)")
    args = parser.parse_args(argv)
    if args.rounds < 1:
        parser.error("--rounds must be 1 or more")
    digits = load_digits()
    images = np.concatenate([digits.train_images, digits.test_images])
    float_net = sw.load("digits")
    network = float_net.lower()
    runs: dict[str, Callable[[], object]] = {
        "integer, numba kernels": lambda: network.run(images, kind="numba"),
        "integer, plain numpy": lambda: network.run(images, kind="plain"),
    }
    try:
        import torch
    except ImportError:
        print("torch is missing: the float network is left out")
    else:
        torch.set_num_threads(1)
        runs["float, torch, one thread"] = lambda: float_net.run(images)
    few = images[:64]
    warm = [network.run(few, kind=kind).logits for kind in ("numba", "plain")]
    if len(runs) > 2:
        float_net.run(few)
    seconds = rounds(runs, args.rounds)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{network.name}: {len(images)} images, median of {args.rounds} rounds, warm")
    base, *others = middle
    print(LIMIT.line(base, middle[base]))
    for name in others:
        print(plain(name, middle[name], "s", 2) + f"     {middle[name] / middle[base]:.2f} x numba")
    spread = ", ".join(f"{v:.2f}" for v in seconds[base])
    print(f"  rounds of the numba kernels: {spread} s")
    first, second = warm
    return int(not np.array_equal(first, second))


if __name__ == "__main__":
    sys.exit(main())
