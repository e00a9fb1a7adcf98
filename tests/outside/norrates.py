"""Rates of the flash's gateware with the model of a flash: ``python -m tests.outside.norrates``."""

import argparse
import random
import sys
from collections.abc import Sequence

from hw.common.cli import command
from hw.outside.flash import Flash
from tests.outside.norchip import NorChip
from tests.outside.test_flash import DATA, OFFSET, WORDS, play

CLOCKS = (50_000_000, 80_000_000)


def rates(clock, count=512):
    """Return words a cycle of one request and of requests of 16 anywhere, and a word's wait."""
    rng = random.Random(1)
    short = [(rng.randrange(WORDS), 16) for _ in range(count // 16)]
    dut = Flash(clock=clock, offset=OFFSET)
    got, taken = play(dut, NorChip(DATA, clock), [(0, count), *short])
    times = [cycle for cycle, _ in got]
    long = count / (times[count - 1] - taken[0])
    apart = (len(times) - count) / (times[-1] - times[count - 1])
    return long, apart, times[0] - taken[0]


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Print a table of `rates`."""
    p = argparse.ArgumentParser(
        prog="python -m tests.outside.norrates",
        description="Rates of the flash's gateware with a model of a flash.",
    )
    p.add_argument("--words", type=int, default=512, help="that are read (default: %(default)s)")
    args = p.parse_args(argv)
    print("core MHz  flash MHz  words/cycle  MB/s  16 words a request, MB/s  cycles to a word")
    for clock in CLOCKS:
        long, apart, wait = rates(clock, args.words)
        print(
            f"{clock / 1e6:<10.0f}{clock / 2e6:<11.0f}{long:<13.4f}{4e-6 * clock * long:<6.1f}"
            f"{4e-6 * clock * apart:<26.1f}{wait}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
