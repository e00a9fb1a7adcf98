"""A target family of which every step is as small as it can be, its die, platform and board."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amaranth import Const, Module, Signal
from amaranth.build import Attrs, Clock, Pins, Platform, Resource, Subsignal

from boards import Board
from boards.dies import Block, Die
from hw.arch import Config, SpikeloomError
from hw.arch.parts import Ram
from hw.common.files import write
from hw.targets import Target
from hw.targets.target import Clocks, Estimate
from hw.targets.target import Pins as Placement
from hw.tools.netlist import Netlist


class Toy(Target):
    """A part of cells, each of which is anything that Yosys can think of."""

    titles = {"cell": "cell"}
    route_reads = ("top.json", "top.pins")
    pack_reads = ("top.routed",)

    def clock(self, source: Signal, clock: Signal, locked: Signal) -> Module:
        m = Module()
        m.d.comb += [clock.eq(source), locked.eq(Const(1))]
        return m

    def synthesis(self, rtlil: str, netlist: str, stat: str) -> list[str]:
        return [
            f"read_rtlil {rtlil}",
            "synth -flatten -top top",
            f"tee -q -o {stat} stat",
            f"write_json -noscopeinfo {netlist}",
        ]

    def resources(self, counts: Mapping[str, int]) -> dict[str, int | float]:
        return {"cell": sum(counts.values())}

    def check(self, netlist: Netlist, path: Path, resets: Mapping[str, int], program: Any) -> None:
        if not netlist.cells:
            raise SpikeloomError(f"{path}: no cells")

    def timing(self, netlist: Netlist) -> Estimate | None:
        return Estimate(1000.0, "by decree")

    def constrain(self, folder: Path, pins: Placement, clocks: Clocks) -> None:
        write(folder / "top.pins", "".join(f"{p.port} {p.pin}\n" for p in pins))

    def route(self, folder: Path) -> str | None:
        write(folder / "top.routed", (folder / "top.pins").read_text(encoding="utf-8"))
        return None

    def pack(self, folder: Path) -> None:
        write(folder / "top.bit", (folder / "top.routed").read_text(encoding="utf-8"))


class ToyPlatform(Platform):
    """Pins of a board with one LED, as a class of amaranth-boards has them."""

    device, package, speed = "toy1", "dip40", "1"
    default_clk = "clk"
    required_tools = []
    connectors = []
    resources = [
        Resource("clk", 0, Pins("1", dir="i"), Clock(50e6), Attrs()),
        Resource(
            "uart", 0, Subsignal("rx", Pins("2", dir="i")), Subsignal("tx", Pins("3", dir="o"))
        ),
        Resource("led", 0, Pins("4", dir="o")),
    ]

    def toolchain_prepare(self, fragment: Any, name: str, **options: Any) -> Any:
        raise NotImplementedError  # a build asks for RTL alone


#: A line of ``boards.dies.DIES``.
DIE = Die(
    family="toy",
    block=Block(resource="cell", title="cell", ram=Ram(name="cell", count=0, shapes=((1, 1),))),
    resources={"cell": 100_000},
)
PART = "toy1dip40-1"


def board() -> Board:
    """Return the toy's board; its die must be known by then."""
    return Board(
        name="toy",
        title="Toy",
        part=PART,
        platform="tests.extend.target:ToyPlatform",
        core_clock=50_000_000,
        config=Config(),
    )
