"""LUTs of the core's parts beside the array, in 7-series cells; LUTs used as memory count too.

``python -m benchmarks.parts_lut [--board NAME]`` prints each part of the board's core, and beside
those that have a ceiling (a lane, with stored membranes and without; what the load port adds to
memories and write-back) PASS or MISS. The ceilings are those of the Arty A7-35T's core; 1 where
one is missed.
"""

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

import boards
from benchmarks.cells import XC7, cells
from hw.arch import Config
from hw.common.cli import command
from hw.core.lane import Lane
from hw.core.memories import LoadPort
from hw.core.sequencer import Sequencer
from hw.core.writeback import WriteBack
from hw.targets.xc7 import MEMORY_LUTS, lut_cells

CEILINGS = {"lane": 330, "lane without stored membranes": 250, "load port": 700}


class Loaded(wiring.Component):
    """Write-back, whose registers are the write ports of all memories, with a load port or none.

    Latency: that of `LoadPort`, then of `WriteBack`. Throughput: a write a cycle.

    Parameters
    ----------
    config : Config
    port : bool
        Whether there is a load port.

    Members
    -------
    Those of `WriteBack` but ``load``, and, where there is a load port, its valid, addr, data and
    busy : In.
    """

    valid: Signal
    addr: Signal
    load_data: Signal
    busy: Signal

    def __init__(self, config: Config, *, port: bool):
        self.back, self.port = WriteBack(config), LoadPort() if port else None
        members: dict[str, Any] = dict(self.back.signature.members.items())
        del members["load"]
        if port:
            members |= {"valid": In(1), "addr": In(32), "load_data": In(32), "busy": In(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.back = back = self.back
        for name, member in back.signature.members.items():
            if name != "load":
                ends = (getattr(back, name), getattr(self, name))
                target, value = ends if member.flow is In else ends[::-1]
                pairs = zip(target, value, strict=True) if member.dimensions else [(target, value)]
                m.d.comb += [to.eq(of) for to, of in pairs]
        if self.port:
            m.submodules.port = port = self.port
            m.d.comb += [
                port.valid.eq(self.valid),
                port.addr.eq(self.addr),
                port.data.eq(self.load_data),
                port.busy.eq(self.busy),
                back.load.eq(port.load),
            ]
        return m


def count(component: wiring.Component, folder: Path) -> int:
    """Return the LUTs of a component by itself."""
    counts = cells(component, XC7, folder)
    return lut_cells(counts) + sum(counts.get(t, 0) * n for t, n in MEMORY_LUTS.items())


def figures(config: Config) -> dict[str, Callable[[Path], int]]:
    """Return how each part's LUTs are counted, by the part's name."""
    stores = config if config.state_bits else dataclasses.replace(config, state_bits=8)
    plain = dataclasses.replace(config, state_bits=0)
    parts: dict[str, Callable[[], wiring.Component]] = {
        "lane": lambda: Lane(stores, target="xc7"),
        "lane without stored membranes": lambda: Lane(plain, target="xc7"),
        "sequencer": lambda: Sequencer(config),
        "write-back": lambda: Loaded(config, port=False),
    }
    found: dict[str, Callable[[Path], int]] = {
        name: (lambda folder, make=make: count(make(), folder)) for name, make in parts.items()
    }
    found["load port"] = lambda folder: (
        count(Loaded(config, port=True), folder) - count(Loaded(config, port=False), folder)
    )
    return found


@command()
def main(argv: list[str] | None = None) -> int:
    """Print the figures; 1 where a ceiling is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts_lut", description=__doc__)
    parser.add_argument("--board", default="arty_a7")
    config = boards.get(parser.parse_args(argv).board).config
    missed = 0
    for name, measure in figures(config).items():
        with tempfile.TemporaryDirectory() as folder:
            luts = measure(Path(folder))
        most = CEILINGS.get(name)
        verdict = (
            "" if most is None else f" of {most} at most: {'PASS' if luts <= most else 'MISS'}"
        )
        missed += most is not None and luts > most
        print(f"{name}: {luts} LUTs{verdict}", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
