"""Forward and backward pass beside spikingjelly's modules: ``python -m benchmarks.training``.

The same block with the same weights is built of `sw.nn` and of multi-step modules over
spikingjelly (``benchmarks/modules.py``), on one thread. Spikes and gradients must agree first. Then
both run in turn, in rounds, and the processor's time counts, so that other load falls on neither
side.

The block is measured twice. "As run": each side in a process of its own, ours as ``sw.train`` runs
it, which has glibc keep freed memory, theirs with memory as Python has it; the floor is for this.
"Memory kept": both in one process that keeps freed memory, so that page faults are in neither
figure; all other pairs are measured that way.
"""

import argparse
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.floor import Floor, plain
from hw.common.cli import command
from hw.common.errors import SpikeloomError
from sw.train.memory import keep_memory

if TYPE_CHECKING:
    from benchmarks.pairs import Pair, Side

RATIO = Floor(bound=2, unit="x", least=True, digits=2)


def seconds(side: "Side") -> float:
    """Return the processor's time for a step."""
    began = time.process_time()
    side.step()
    return time.process_time() - began


def measure(pair: "Pair", rounds: int) -> tuple[float, float]:
    """Return medians of both sides' seconds."""
    pair.ours.step()
    pair.theirs.step()
    taken = [(seconds(pair.ours), seconds(pair.theirs)) for _ in range(rounds)]
    ours, theirs = zip(*taken, strict=True)
    return statistics.median(ours), statistics.median(theirs)


class Worker:
    """A process that makes one side of a case and takes a step whenever it is asked."""

    def __init__(self, case: int, side: str):
        command = [sys.executable, "-m", "benchmarks.training", "--worker", str(case), side]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def step(self) -> float:
        """Seconds of the processor for one step."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        print(file=stdin, flush=True)
        return float(stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.communicate()


def work(case: int, side: str) -> None:
    """Be a `Worker`'s process."""
    import torch

    from benchmarks import pairs

    torch.set_num_threads(1)
    if side == "ours":
        keep_memory()
    torch.manual_seed(0)
    found = getattr(CASES[case][1](pairs), side)
    for _ in sys.stdin:
        print(seconds(found), flush=True)


def as_run(case: int, rounds: int) -> tuple[float, float]:
    """Medians of both sides' seconds, each in a process of its own, in turn."""
    workers = [Worker(case, side) for side in ("ours", "theirs")]
    try:
        for _ in range(5):  # compiled, and memory found
            for worker in workers:
                worker.step()
        taken = [[worker.step() for worker in workers] for _ in range(rounds)]
    finally:
        for worker in workers:
            worker.close()
    ours, theirs = (statistics.median(values) for values in zip(*taken, strict=True))
    return ours, theirs


def show(name: str, ours: float, theirs: float, floor: Floor | None) -> None:
    """Print one ratio."""
    ratio = theirs / ours
    line = floor.line(name, ratio) if floor else plain(name, ratio, "x", RATIO.digits)
    print(f"{line:<82} {1e3 * theirs:8.1f} / {1e3 * ours:.1f} ms", flush=True)


#: What it is called, how to make it of `benchmarks.pairs`, the floor, and by what to divide rounds.
CASES = (
    ("MNIST block, T 2", lambda pairs: pairs.block(2), RATIO, 1),
    ("MNIST block, T 4", lambda pairs: pairs.block(4), None, 2),
    ("MNIST tokenizer layer, 16 to 32, T 2", lambda pairs: pairs.stage(), None, 1),
    ("MNIST network, T 2", lambda pairs: pairs.network(), None, 4),
    ("MNIST Q-SNN block, 16 wide, T 2", lambda pairs: pairs.qsnn(), None, 2),
    ("CIFAR 4-384 block, T 4, batch 16", lambda pairs: pairs.cifar(), None, 8),
)


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the figures; 1 where the two differ in what they compute, or cannot be compared."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        default=40,
        help="of the small blocks; larger ones run fewer (%(default)s)",
    )
    parser.add_argument("--worker", nargs=2, metavar=("CASE", "SIDE"), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        work(int(args.worker[0]), args.worker[1])
        return 0
    if args.rounds < 1:
        parser.error("--rounds must be 1 or more")
    try:
        import spikingjelly  # noqa: F401  # pyright: ignore[reportMissingImports]
        import torch

        from benchmarks import pairs
    except ImportError as error:
        raise SpikeloomError(
            f"benchmarks.training measures spikingjelly beside torch ({error}): "
            "pip install -e '.[bench]'"
        ) from None
    torch.set_num_threads(1)
    keep_memory()
    print(f"spikingjelly's time / ours, forward and backward, median of {args.rounds} rounds")
    wrong = 0
    for case, (name, make, floor, fewer) in enumerate(CASES):
        torch.manual_seed(0)
        pair = make(pairs)
        if found := pair.difference():
            print(f"  {name}: NOT EQUAL: {found}", flush=True)
            wrong = 1
            continue
        rounds = -(-args.rounds // fewer)
        if name.startswith("MNIST block"):
            show(f"{name}, as run", *as_run(case, rounds), floor)
        show(f"{name}, memory kept", *measure(pair, rounds), None)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
