"""Published networks with a memory outside the chip: ``python -m benchmarks.outside``.

For each network and board: block RAM by memory, words that come from outside, waits for them,
cycles, latency. The weights are random ones. Cycles that compute are exact; waits are those for a
memory that keeps to the contract of simulations (SDRAM), or to that of its gateware (flash).
"""

import argparse
import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass

import boards
from benchmarks.cycles import cifar, resnet19
from benchmarks.floor import Floor, plain
from boards import Board
from hw.build import outside
from hw.common.cli import command
from sw.api import IntegerNetwork
from sw.compiler import compile_network, fit_config
from sw.room import block_rams, rams_of


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network on a board, with one of its memories."""

    title: str
    network: Callable[[], IntegerNetwork]
    board: str
    memory: str  #: Kind of `boards.memory`.
    settings: str  #: Of the core, beside the board's and the depths that the network needs.
    floor: float | None = None  #: Milliseconds.


CASES = (
    Case(
        title="Q-SNN ResNet-19, 32x32x3, T 2",
        network=resnet19,
        board="ulx3s",
        memory="sdram",
        settings="rows=8,row_depth=1024,res_depth=1024,block_depth=256",
        floor=40,
    ),
    Case(
        title="Q-SNN ResNet-19, 32x32x3, T 2",
        network=resnet19,
        board="arty_a7_100",
        memory="flash",
        settings="block_depth=256",
    ),
    Case(
        title="BESTformer 4-384, 32x32x3, T 4",
        network=cifar,
        board="ulx3s",
        memory="sdram",
        settings="block_depth=256",
        floor=50,
    ),
)


def core_of(case: Case, network: IntegerNetwork) -> Board:
    """Return the board with a core that holds what is not outside."""
    board = boards.get(case.board).having(case.memory)
    assert board.memory is not None
    asked = board.config.changed(f"{case.settings},outside={board.memory.words}")
    return dataclasses.replace(board, config=fit_config(network, asked))


def show(case: Case) -> bool:
    """Print the figures of a case; whether it fits its board."""
    network = case.network()
    board = core_of(case, network)
    config = board.config
    program = compile_network(network, config, outside.contract(board))
    ram = board.die.block
    there = board.die.resources[ram.resource]
    print(f"{case.title}, {board.title}, {case.memory}")
    print(f"  {config.rows} x {config.cols} x {config.width} bits, {case.settings}")
    for memory, blocks in rams_of(config, ram):
        print(plain(f"{memory.name}, {memory.depth} deep", blocks, ram.title, 1))
    need = block_rams(config, ram)
    fits = need <= there
    verdict = "fits" if fits else "DOES NOT FIT"
    print(f"  {ram.title + ' in all':<40} {need:>12,} of {there}: {verdict}")
    waits = sum(program.stalls())
    print(plain("from outside", 4 * program.outside_words / 1e6, "MB", 2))
    print(plain("cycles that compute", program.run_computing(1)))
    print(plain("cycles that wait", waits))
    print(plain("share of peak", 100 * program.share, "%", 1))
    spent = 1e3 * program.cycles / board.core_clock
    what = f"latency at {board.core_clock / 1e6:g} MHz"
    if case.floor is None:
        print(plain(what, spent, "ms", 1))
    elif not fits:
        print(
            plain(what, spent, f"ms     at most {case.floor:.1f}, but no such core fits  MISS", 1)
        )
    else:
        print(Floor(bound=case.floor, unit="ms", digits=1).line(what, spent))
    return fits


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the figures of all cases."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outside", description=__doc__)
    parser.parse_args(argv)
    for case in CASES:
        show(case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
