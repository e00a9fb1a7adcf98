"""What stands between a core's mover and the memory outside of a board."""

from pathlib import Path
from typing import Any

from amaranth import ClockDomain, ClockSignal, Module, ResetSignal
from amaranth.lib import io
from amaranth.lib.wiring import connect

from boards import Board
from boards.memory import Flash, Sdram
from hw.arch.outside import CONTRACT, Contract
from hw.build import flash
from hw.common.errors import SpikeloomError
from hw.outside import litedram, nor, sdram
from hw.outside.sdram import DOMAIN
from hw.targets.target import Target
from hw.tools.yosys import run_yosys

INPUT, OUTPUT, BOTH = io.Direction.Input, io.Direction.Output, io.Direction.Bidir


def check(board: Board) -> None:
    """Refuse a core with a mover on a board that has no memory for it; SpikeloomError."""
    c, memory = board.config, board.memory
    if not c.block_depth:
        return
    if memory is None:
        raise SpikeloomError(
            f"{board.title}: block_depth = {c.block_depth} wants a memory outside the chip, and "
            "this Spikeloom knows none of this board; leave block_depth out, or choose a board "
            "that has one (ulx3s, arty_a7)"
        )
    if c.outside != memory.words:
        raise SpikeloomError(
            f"{board.title}: outside = {c.outside}, but the memory outside ({memory.kind}) has "
            f"{memory.words} * 2**20 words of 32 bits; give outside={memory.words} in --config"
        )


def contract(board: Board) -> Contract:
    """Return when words come from the memory outside of a board, as forecasts have it."""
    return nor.contract(board.core_clock) if isinstance(board.memory, Flash) else CONTRACT


def attach(m: Module, platform: Any, target: Target, port: Any) -> None:
    """Wire a core's port to the memory outside that the board has."""
    board = target.board
    check(board)
    match board.memory:
        case Sdram():
            _attach_sdram(m, platform, board, port)
        case Flash() as facts:
            flash.attach(m, platform, target, facts, port)


def _attach_sdram(m: Module, platform: Any, board: Board, port: Any) -> None:
    """Wire a core's port to the board's SDRAM, whose domain has the core's clock.

    The SDRAM's clock pin is half a cycle later than that.
    """
    m.domains += ClockDomain(DOMAIN)
    m.d.comb += [ClockSignal(DOMAIN).eq(ClockSignal()), ResetSignal(DOMAIN).eq(ResetSignal())]
    m.submodules.sdram = memory = sdram.Sdram(clock=board.core_clock)
    connect(m, port, memory.port)
    pins, ours = platform.request("sdram", 0, dir="-"), memory.pins
    clock: Any = io.DDRBuffer(OUTPUT, pins.clk, o_domain="sync")
    m.submodules.sdram_clk = clock
    m.d.comb += [clock.o[0].eq(0), clock.o[1].eq(1)]
    names = {"clk_en": "cke"} | {n: n for n in ("cs", "ras", "cas", "we", "ba", "a", "dqm")}
    for name, mine in names.items():
        m.submodules[f"sdram_{name}"] = buffer = io.Buffer(OUTPUT, getattr(pins, name))
        m.d.comb += buffer.o.eq(getattr(ours, mine))
    for n, pin in enumerate(pins.dq):
        m.submodules[f"sdram_dq_{n}"] = dq = io.Buffer(BOTH, pin)
        m.d.comb += [dq.o.eq(ours.dq_o[n]), dq.oe.eq(ours.dq_oe[n]), ours.dq_i[n].eq(dq.i)]


def add_controller(folder: Path, board: Board) -> None:
    """Put the modules that are not ours into ``top.il`` of a folder, where the board needs any."""
    if not board.config.block_depth or not isinstance(board.memory, Sdram):
        return
    path = litedram.generate(folder, clock=board.core_clock)
    run_yosys(
        ["read_rtlil top.il", f"read_verilog -sv {path.name}", "write_rtlil .top.il.part"],
        cwd=folder,
        name="outside",
    )
    (folder / ".top.il.part").replace(folder / "top.il")
    path.unlink()
