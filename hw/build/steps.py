"""The steps of a build, from a trained network to a bitstream and its report.

What depends on the family of the board's FPGA is the target's (``hw.targets``).
"""

import dataclasses
from pathlib import Path
from typing import Any

from boards.memory import Flash
from hw.build import board_top, dsp, flash, inputs, network, outside, report
from hw.build.job import Job, board_design
from hw.build.pipeline import Step
from hw.common.errors import SpikeloomError
from hw.common.files import file_digest, write, write_json
from hw.tools import yosys
from hw.tools.export import verilog_from_rtlil
from hw.tools.netlist import Netlist

__all__ = ["NAMES", "STEPS", "Job", "board_design"]


def _load(job: Job, work: Path) -> None:
    write_json(work / "model.json", network.describe(job.network, job.source))


def _lower(job: Job, work: Path) -> None:
    for line in network.lower(job.network, job.stream, work / "network.npz"):
        job.note("lower", line)


def _compile(job: Job, work: Path) -> None:
    outside.check(job.board)
    contract = outside.contract(job.board)
    program = network.compile_into(job.integer(), job.board.config, work, contract)
    for line in flash.write_image(job.board, program.outside, work):
        job.note("compile", line)


def _elaborate(job: Job, work: Path) -> None:
    if job.design is board_design:
        dsp.refuse_too_many(job.board, job.target.primitives)
        outside.check(job.board)
    made = board_top.elaborate(job.board, job.design(job.board, job.program()))
    write(work / "top.il", made.rtlil)
    outside.add_controller(work, job.board)
    verilog_from_rtlil(work / "top.il", work / "top.v")
    write_json(
        work / "pins.json",
        {
            "pins": [{"port": p.port, "pin": p.pin, "attributes": p.attributes} for p in made.pins],
            "clocks": made.clocks,
        },
    )
    for path in work.glob("*.ys"):
        path.unlink()


def _synthesise(job: Job, work: Path) -> None:
    job.bring(work, "top.il")
    commands = job.target.synthesis("top.il", "top.json", "top.stat")
    yosys.run_yosys(commands, cwd=work, name="synthesise")
    (work / "top.il").unlink()
    Netlist.load(work / "top.json")
    job.target.finish(work / "top.json")


def _check(job: Job, work: Path) -> None:
    netlist, board, target = job.netlist(), job.board, job.target
    program = job.program() if job.design is board_design else None
    target.check(netlist, job.output / "top.json", {board_top.IN_RESET: 1}, program)
    counts = netlist.counts()
    used, estimate = target.resources(counts), target.timing(netlist)
    for name, limit in board.resources.items():
        if used.get(name, 0) > limit:
            raise SpikeloomError(
                f"{board.title} has {limit} {target.titles.get(name, name)}, but this design needs "
                f"{used[name]}; choose a larger board or a smaller core configuration"
            )
    clock = dataclasses.asdict(estimate) if estimate else {}
    write_json(work / "check.json", {"cells": counts, "resources": used, "clock": clock})


def _constrain(job: Job, work: Path) -> None:
    job.target.constrain(work, *job.elaborated())


def _route(job: Job, work: Path) -> str | None:
    target = job.target
    job.bring(work, *target.route_reads)
    why = target.route(work)
    _remove(work, target.route_reads)
    write_json(work / "route.json", {"routed": why is None, "reason": why})
    if why is None:
        return None
    return f"no bitstream: {why}" + (f"; {target.elsewhere}" if target.elsewhere else "")


def _pack(job: Job, work: Path) -> str | None:
    if not job.read("route.json")["routed"]:
        return "nothing was routed"
    target = job.target
    if placed := target.placed(job.output):
        target.refuse_slow(placed.fmax_mhz, job.board.core_clock / 1e6)
    job.bring(work, *target.pack_reads)
    target.pack(work)
    flash.check_bitstream(job.board, work / "top.bit")
    _remove(work, target.pack_reads)
    return None


def _remove(work: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (work / name).unlink()


def _report(job: Job, work: Path) -> None:
    value = make_report(job)
    write(work / "report.txt", report.to_text(value, job.target.titles))
    write(work / "report.json", report.to_json(value))


def _page(job: Job, work: Path) -> str | None:
    read = job.read("report.json")
    return network.page(job.program(), job.integer(), read, job.target.titles, work / "report.html")


def make_report(job: Job) -> dict[str, Any]:
    """Return the report of a build whose other steps are done."""
    board, program, checked = job.board, job.program(), job.read("check.json")
    routed = job.read("route.json")
    placed = job.target.placed(job.output) if routed["routed"] else None
    if placed:
        used = report.resources("placed", placed.resources, board.resources)
        clock = report.timing("placed", placed.fmax_mhz, board.core_clock, placed.clock)
    else:
        used = report.resources("estimated", checked["resources"], board.resources)
        found = checked["clock"] or {"fmax_mhz": None, "note": "nothing is known of it"}
        clock = report.timing("estimated", found["fmax_mhz"], board.core_clock, found["note"])
    bit = job.output / "top.bit"
    made = bit.is_file()
    known = job.read("model.json")
    image = job.output / flash.IMAGE
    note = lambda text: job.note("report", text)  # noqa: E731
    return {
        "schema": report.SCHEMA,
        "board": {
            "name": board.name,
            "title": board.title,
            "part": board.part,
            "family": board.family,
            "clock_hz": board.core_clock,
        },
        "model": {**known, **network.accuracy(known, job.model, job.integer, note)},
        "core": board.config.as_dict(),
        "resources": used,
        "cells": checked["cells"],
        "timing": clock,
        "cycles": report.cycles("forecast", program, board.core_clock),
        "memory": report.memory_map(program),
        "membranes": report.membranes(program),
        "flash": {
            "file": image.name,
            "bytes": image.stat().st_size,
            "sha256": file_digest(image),
            "offset": board.memory.offset,
            "how": flash.told(board, image.stat().st_size),
        }
        if isinstance(board.memory, Flash) and image.is_file()
        else None,
        "bitstream": {
            "file": bit.name if made else None,
            "bytes": bit.stat().st_size if made else None,
            "sha256": file_digest(bit) if made else None,
            "reason": None if made else routed["reason"],
        },
        "tools": inputs.tool_versions(job),
    }


STEPS = (
    Step("load", "read the model", inputs.of_model, _load, ("model.json",)),
    Step("lower", "float to integer network", inputs.of_model, _lower, ("network.npz",)),
    Step(
        "compile",
        "memory images and program",
        inputs.of_program,
        _compile,
        ("program.npz", "program.txt"),
    ),
    Step("elaborate", "RTL", inputs.of_rtl, _elaborate, ("top.il", "top.v", "pins.json")),
    Step("synthesise", "netlist", inputs.of_netlist, _synthesise, ("top.json", "top.stat")),
    Step(
        "check",
        "cells, contents, budget, timing estimate",
        inputs.of_target,
        _check,
        ("check.json",),
    ),
    Step("constrain", "pins, clocks, scripts", inputs.of_target, _constrain),
    Step("route", "place and route", inputs.of_bitstream, _route, ("route.json",)),
    Step("pack", "bitstream", inputs.of_bitstream, _pack, ("top.bit",)),
    Step(
        "report",
        "report.json and report.txt",
        inputs.of_report,
        _report,
        ("report.json", "report.txt"),
    ),
    Step("page", "report.html: charts and a run's spikes", inputs.of_page, _page, ("report.html",)),
)
NAMES = tuple(s.name for s in STEPS)
