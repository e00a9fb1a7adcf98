"""A core with a mover on the flash its FPGA is configured from: pins, words, who writes them."""

from pathlib import Path
from typing import Any

import numpy as np
from amaranth import Module
from amaranth.build import Attrs, Pins, PinsN, Resource, Subsignal
from amaranth.lib import io
from amaranth.lib.wiring import connect

from boards import Board
from boards.memory import Flash as Facts
from hw.common.errors import SpikeloomError
from hw.common.files import write
from hw.outside.flash import Flash
from hw.targets.target import Target
from hw.tools.loader import NAME as LOADER
from sw.host.outside import IMAGE

SCRIPT = "write_flash.sh"
OURS = "quad_flash"  #: Resource that is made of a platform's.
#: A platform's resource with a pin for each lane, and its pins in the order of the lanes.
THEIRS, LANES = ("spi_flash", "spi_flash_1x"), ("copi", "cipo", "wp", "hold")


def resource(platform: Any, board: Board) -> Resource:
    """Return a flash of four data pins, of the pins that the platform names; no clock pin.

    SpikeloomError where it names none, or not all.
    """
    found = next((platform.resources[n, 0] for n in THEIRS if (n, 0) in platform.resources), None)
    parts = {part.name: part for part in found.ios} if found else {}
    missing = [name for name in ("cs", *LANES) if name not in parts]
    if found is None or missing:
        raise SpikeloomError(
            f"{board.title}: its platform names no pins of a quad SPI flash "
            f"({', '.join(missing)} of 'spi_flash'); choose another memory with --outside"
        )
    names = {name: " ".join(part.ios[0].names) for name, part in parts.items()}
    return Resource(
        OURS,
        0,
        Subsignal("cs", PinsN(names["cs"], dir="o")),
        Subsignal("dq", Pins(" ".join(names[lane] for lane in LANES), dir="io")),
        Attrs(**found.attrs),
    )


def attach(m: Module, platform: Any, target: Target, facts: Facts, port: Any) -> None:
    """Wire a core's port to the flash; its clock is the FPGA's configuration clock."""
    board = target.board
    m.submodules.flash = flash = Flash(
        clock=board.core_clock, offset=facts.offset, volatile_quad=facts.volatile_quad
    )
    connect(m, port, flash.port)
    platform.add_resources([resource(platform, board)])
    pins, ours = platform.request(OURS, 0, dir="-"), flash.pins
    m.submodules.flash_clock = target.flash_clock(ours.clk, ours.clk_oe)
    m.submodules.flash_cs = cs = io.Buffer(io.Direction.Output, pins.cs)
    m.d.comb += cs.o.eq(ours.cs)
    for n, pin in enumerate(pins.dq):
        m.submodules[f"flash_dq_{n}"] = dq = io.Buffer(io.Direction.Bidir, pin)
        m.d.comb += [dq.o.eq(ours.o[n]), dq.oe.eq(ours.oe[n]), ours.i[n].eq(dq.i)]


def write_image(board: Board, words: np.ndarray, folder: Path) -> list[str]:
    """Write a program's words outside as ``flash.bin`` where the board reads them from its flash.

    Beside it goes a script with the command that brings them there. Returns sentences that tell how
    they come there; none where there is nothing to write.
    """
    facts = board.memory
    if not isinstance(facts, Facts) or not len(words):
        return []
    (folder / IMAGE).write_bytes(words.astype("<u4").tobytes())
    said = told(board, 4 * len(words))
    remarks = "".join(f"# {line}\n" for line in said)
    write(folder / SCRIPT, f"#!/bin/sh\n{remarks}set -eu\n{command(board)}\n").chmod(0o755)
    return said


def told(board: Board, size: int) -> list[str]:
    """Return how ``flash.bin`` of so many bytes comes into a board's flash, as sentences."""
    facts = board.memory
    assert isinstance(facts, Facts), facts
    lines = [
        f"{IMAGE}: {size} bytes that the core reads from the flash, from byte {facts.offset:#x} on",
        f"write it once, and anew for another network: {command(board)}",
    ]
    if not facts.volatile_quad:
        lines.append(
            "a flash whose quad-enable bit is not set yet (S25FL128S) wants it set once: "
            f"{LOADER} -b {board.loader} --enable-quad"
        )
    return lines


def command(board: Board) -> str:
    """Return openFPGALoader's command that writes ``flash.bin``."""
    facts = board.memory
    assert isinstance(facts, Facts), facts
    name = f"-b {board.loader}" if board.loader else "-c CABLE"
    return f"{LOADER} {name} --write-flash --verify --offset {facts.offset:#x} {IMAGE}"


def check_bitstream(board: Board, bitstream: Path) -> None:
    """SpikeloomError where a bitstream, put into the flash, would reach the words there."""
    facts, size = board.memory, bitstream.stat().st_size
    if board.config.block_depth and isinstance(facts, Facts) and size > facts.offset:
        raise SpikeloomError(
            f"{board.title}: the bitstream has {size} bytes, but the words in the flash begin at "
            f"byte {facts.offset}; give the board's Flash a larger offset"
        )
