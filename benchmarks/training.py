"""Forward and backward pass beside spikingjelly's modules: ``python -m benchmarks.training``.

The same block with the same weights is built of `sw.models` and of multi-step modules over
spikingjelly (``benchmarks/modules.py``), on one thread. Spikes and gradients must agree first. Then
both run in turn, in rounds, and the processor's time counts, so that other load falls on neither
side. Memory that is freed stays with the process, for both: page faults are no part of the figures.
"""

import argparse
import ctypes
import statistics
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.floor import Floor, plain

if TYPE_CHECKING:
    from benchmarks.pairs import Pair, Side

RATIO = Floor(bound=2, unit="x", least=True, digits=2)
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


def keep_memory() -> None:
    """Let glibc keep what is freed; elsewhere nothing happens."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(MMAP_THRESHOLD, 1 << 30)
        library.mallopt(TRIM_THRESHOLD, (1 << 31) - 1)


def seconds(side: "Side") -> float:
    """Return the processor's time for a step."""
    began = time.process_time()
    side.step()
    return time.process_time() - began


def measure(pair: "Pair", rounds: int) -> tuple[float, float]:
    """Return medians of both sides' seconds."""
    pair.ours.step(), pair.theirs.step()
    taken = [(seconds(pair.ours), seconds(pair.theirs)) for _ in range(rounds)]
    ours, theirs = zip(*taken, strict=True)
    return statistics.median(ours), statistics.median(theirs)


def main(argv: list[str] | None = None) -> int:
    """Print the figures; 1 where the two differ in what they compute, or cannot be compared."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40,
        help="of the small blocks; larger ones run fewer (%(default)s)")  # fmt: skip
    args = parser.parse_args(argv)
    if args.rounds < 1:
        parser.error("--rounds must be 1 or more")
    try:
        import spikingjelly  # noqa: F401
        import torch

        from benchmarks import pairs
    except ImportError as error:
        print(
            f"benchmarks.training measures spikingjelly ({error}): pip install spikingjelly",
            file=sys.stderr,
        )
        return 1
    torch.set_num_threads(1)
    keep_memory()
    cases = (
        ("MNIST block, T 2", lambda: pairs.block(2), RATIO, 1),
        ("MNIST block, T 4", lambda: pairs.block(4), RATIO, 2),
        ("MNIST tokenizer layer, 16 to 32, T 2", pairs.stage, None, 1),
        ("MNIST network, T 2", pairs.network, None, 4),
        ("MNIST Q-SNN block, 16 wide, T 2", pairs.qsnn, None, 2),
        ("CIFAR 4-384 block, T 4, batch 16", pairs.cifar, None, 8),
    )
    print(f"spikingjelly's time / ours, forward and backward, median of {args.rounds} rounds")
    wrong = 0
    for name, make, floor, fewer in cases:
        torch.manual_seed(0)
        pair = make()
        if found := pair.difference():
            print(f"  {name}: NOT EQUAL: {found}", flush=True)
            wrong = 1
            continue
        ours, theirs = measure(pair, -(-args.rounds // fewer))
        ratio = theirs / ours
        line = floor.line(name, ratio) if floor else plain(name, ratio, "x", RATIO.digits)
        print(f"{line:<82} {1e3 * theirs:8.1f} / {1e3 * ours:.1f} ms", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
