"""The steps of a build, from a trained network to a bitstream and its report."""

import functools
import importlib.metadata
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards import Board
from hw.build import board_top, ecp5, report, xc7
from hw.build.contents import refuse_other_contents
from hw.build.pipeline import Event, Step, code_digest, file_digest
from hw.common.errors import SpikeloomError
from hw.tools import check_xc7, find, timing_xc7, yosys
from hw.tools.export import verilog_from_rtlil, write_text
from hw.tools.netlist import Netlist, ecp5_resources, xc7_resources

ROOT = Path(__file__).resolve().parents[2]
HARDWARE = tuple(ROOT / p for p in ("hw/arch", "hw/core", "hw/soc", "hw/build", "hw/tools"))
SOFTWARE = tuple(ROOT / p for p in ("sw/frontend", "sw/lower", "sw/compiler", "hw/arch"))
#: What a report tells of a model, where its side file holds it.
ACCURACY = (
    "data", "split", "test_images", "test_accuracy", "test_acc", "test_wrong",
    "integer_test_accuracy", "integer_test_wrong", "command",
)  # fmt: skip


def board_design(board: Board, program: Any) -> Any:
    """Return the design that goes on a board: UART and core, its memories initialised."""
    from hw.soc.top import Top

    target = "xc7" if board.family == "xc7" else "generic"
    return Top(board.config, clk_freq=board.core_clock, program=program, target=target)


@dataclass
class Job:
    """What one build is about, and what it has made so far."""

    board: Board
    model: str
    output: Path
    tell: Callable[[Event], None]
    design: Callable[[Board, Any], Any] = board_design
    stream: bool = False  #: One call per step, membranes in memory.

    @functools.cached_property
    def source(self) -> Path:
        """The model's file."""
        from sw.frontend.loader import find as find_model

        path = Path(find_model(self.model))
        if not path.is_file():
            raise SpikeloomError(f"model {self.model!r}: there is no file {path}")
        return path

    @functools.cached_property
    def network(self) -> Any:
        """The float network."""
        import sw

        return sw.load(self.source)

    def integer(self) -> Any:
        """Return the integer network of the step 'lower'."""
        from sw.network import IntegerNetwork

        return IntegerNetwork.load(self.output / "network.npz")

    def program(self) -> Any:
        """Return the program of the step 'compile'."""
        from sw.compiler import Program

        return Program.load(self.output / "program.npz")

    def read(self, name: str) -> Any:
        """Return a JSON file of the output folder."""
        return json.loads((self.output / name).read_text(encoding="utf-8"))

    def netlist(self) -> Netlist:
        """Return the netlist of the step 'synthesise'."""
        return Netlist.load(self.output / "top.json")

    def bring(self, work: Path, *names: str) -> None:
        """Copy outputs of earlier steps into a step's folder."""
        for name in names:
            shutil.copyfile(self.output / name, work / name)

    def note(self, step: str, text: str) -> None:
        """Tell the user one line."""
        self.tell(Event(step, "note", text))

    def elaborated(self) -> tuple[tuple[board_top.Pin, ...], tuple[tuple[str, float], ...]]:
        """Return pins and clocks of the step 'elaborate'."""
        held = self.read("pins.json")
        pins = tuple(
            board_top.Pin(p["port"], p["pin"], tuple((k, v) for k, v in p["attributes"]))
            for p in held["pins"]
        )
        return pins, tuple((port, hz) for port, hz in held["clocks"])


def _json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1) + "\n")


def _side(source: Path) -> dict[str, Any]:
    """Return the side file of a model (its name with .json), or nothing."""
    path = source.with_suffix(".json")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _load(job: Job, work: Path) -> None:
    side = _side(job.source)
    meta = job.network.meta if isinstance(getattr(job.network, "meta", None), dict) else {}
    known = {**meta, **side}
    _json(work / "model.json", {
        "name": job.network.name,
        "source": job.source.name,
        "sha256": file_digest(job.source),
        "accuracy": {k: known[k] for k in ACCURACY if k in known},
    })  # fmt: skip


def _lower(job: Job, work: Path) -> None:
    job.network.lower(stream=job.stream).save(work / "network.npz")


def _compile(job: Job, work: Path) -> None:
    program = job.integer().compile(job.board.config)
    program.save(work / "program.npz")
    write_text(work / "program.txt", program.disassemble())
    write_images(program, work / "images")


def write_images(program: Any, folder: Path) -> None:
    """Write the memory images as text for ``$readmemh``: one word a line, one file a bank."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "prog.hex", "".join(f"{int(w):08x}\n" for w in program.words))
    for bank, words in enumerate(program.columns):
        lines = ("".join(f"{int(part):08x}" for part in reversed(word)) for word in words)
        write_text(folder / f"col_{bank:02}.hex", "".join(f"{line}\n" for line in lines))


def _elaborate(job: Job, work: Path) -> None:
    made = board_top.elaborate(job.board, job.design(job.board, job.program()))
    write_text(work / "top.il", made.rtlil)
    verilog_from_rtlil(work / "top.il", work / "top.v")
    _json(work / "pins.json", {
        "pins": [{"port": p.port, "pin": p.pin, "attributes": p.attributes} for p in made.pins],
        "clocks": made.clocks,
    })  # fmt: skip
    for path in work.glob("*.ys"):
        path.unlink()


def _synthesise(job: Job, work: Path) -> None:
    job.bring(work, "top.il")
    family = xc7 if job.board.family == "xc7" else ecp5
    yosys.run_yosys(
        family.synthesis_commands("top.il", "top.json", "top.stat"), cwd=work, name="synthesise"
    )
    (work / "top.il").unlink()
    Netlist.load(work / "top.json")


def _check(job: Job, work: Path) -> None:
    netlist, board = job.netlist(), job.board
    counts = netlist.counts()
    if board.family == "xc7":
        check_xc7.refuse_offences(
            netlist, job.output / "top.json", {board_top.RESET_DONE: 0}
        )
        if job.design is board_design:
            refuse_other_contents(netlist, job.program())
        used = xc7_resources(counts)
        path = timing_xc7.longest_path(netlist)
        clock = {"fmax_mhz": round(path.mhz, 2), "path": path.nets, "path_ns": path.delay}
    else:
        used = ecp5_resources(counts)
        clock = {}
        if unmapped := sorted(t for t in counts if t.startswith("$")):
            raise SpikeloomError(f"{job.output / 'top.json'}: unmapped cells {unmapped}")
    for name, limit in board.resources.items():
        if used[name] > limit:
            title = report.RESOURCE_TITLES[name]
            raise SpikeloomError(
                f"{board.title} has {limit} {title}, but this design needs {used[name]}; "
                "choose a larger board or a smaller core configuration"
            )
    _json(work / "check.json", {"cells": counts, "resources": used, "clock": clock})


def _constrain(job: Job, work: Path) -> None:
    pins, clocks = job.elaborated()
    if job.board.family == "xc7":
        write_text(work / "top.xdc", xc7.constraints(pins, clocks))
        write_text(work / "build_vivado.tcl", xc7.vivado_script(job.board))
        write_text(work / "build_openxc7.sh", xc7.open_script(job.board)).chmod(0o755)
    else:
        write_text(work / "top.lpf", ecp5.constraints(pins, clocks))


def _route(job: Job, work: Path) -> None:
    if job.board.family == "ecp5":
        job.bring(work, "top.json", "top.lpf")
        ecp5.route(job.board, work)
        for name in ("top.json", "top.lpf"):
            (work / name).unlink()
        return
    places, why = xc7.open_flow(job.board)
    if places is None:
        job.note("route", f"no bitstream: {why}; build_openxc7.sh and build_vivado.tcl make it")
        _json(work / "route.json", {"routed": False, "reason": why})
        return
    job.bring(work, "top.json", "top.xdc")
    xc7.route(job.board, places, work)
    for name in ("top.json", "top.xdc"):
        (work / name).unlink()
    _json(work / "route.json", {"routed": True, "reason": why})


def _pack(job: Job, work: Path) -> None:
    if job.board.family == "ecp5":
        fmax, wanted = job.read("placed.json")["fmax_mhz"], job.board.core_clock / 1e6
        if fmax < wanted:
            raise SpikeloomError(
                f"{job.board.title}: the router reached {fmax:.1f} MHz, but the core's clock is "
                f"{wanted:g} MHz; lower core_clock in boards/{job.board.name}.py"
            )
        job.bring(work, "top.config")
        ecp5.pack(work)
        (work / "top.config").unlink()
    elif job.read("route.json")["routed"]:
        places, why = xc7.open_flow(job.board)
        if places is None:
            raise SpikeloomError(f"the design is routed, but it cannot be packed: {why}")
        job.bring(work, "top.fasm")
        xc7.pack(job.board, places, work)
        for name in ("top.fasm", "top.frames"):
            (work / name).unlink()


def _report(job: Job, work: Path) -> None:
    value = make_report(job)
    write_text(work / "report.txt", report.to_text(value))
    write_text(work / "report.json", report.to_json(value))


def make_report(job: Job) -> dict[str, Any]:
    """Return the report of a build whose other steps are done."""
    board, program, checked = job.board, job.program(), job.read("check.json")
    if board.family == "ecp5":
        placed = job.read("placed.json")
        used = report.resources("placed", placed["resources"], board.resources)
        clock = report.timing("placed", placed["fmax_mhz"], board.core_clock, placed["clock"])
    else:
        used = report.resources("estimated", checked["resources"], board.resources)
        clock = report.timing(
            "estimated", checked["clock"]["fmax_mhz"], board.core_clock,
            f"sum of cell delays and {timing_xc7.NET} ns a net, before place and route",
        )  # fmt: skip
    bit = job.output / "top.bit"
    made = bit.is_file()
    return {
        "schema": report.SCHEMA,
        "board": {
            "name": board.name, "title": board.title, "part": board.part, "family": board.family,
            "clock_hz": board.core_clock,
        },
        "model": job.read("model.json"),
        "core": board.config.as_dict(),
        "resources": used,
        "cells": checked["cells"],
        "timing": clock,
        "cycles": report.cycles("estimated", program, board.core_clock),
        "memory": report.memory_map(program),
        "membranes": report.membranes(program),
        "bitstream": {
            "file": bit.name if made else None,
            "bytes": bit.stat().st_size if made else None,
            "sha256": file_digest(bit) if made else None,
            "reason": None if made else job.read("route.json")["reason"],
        },
        "tools": tool_versions(board),
    }  # fmt: skip


def tool_versions(board: Board) -> dict[str, str]:
    """Return the versions of what a build for a board uses."""
    out = {p: importlib.metadata.version(p) for p in ("amaranth", "amaranth-boards")}
    out["yosys"] = yosys.version()
    names = ("nextpnr-ecp5",) if board.family == "ecp5" else ("nextpnr-xilinx",)
    for name in names:
        if find.have(name):
            out[name] = find.version(name)
    return out


def _board(job: Job) -> dict[str, Any]:
    b = job.board
    return {
        "name": b.name, "part": b.part, "clocks": [b.clock, b.vco, b.core_clock],
        "config": b.config.as_dict(), "resources": b.resources, "database": b.database,
    }  # fmt: skip


def _route_inputs(job: Job) -> list[Any]:
    if job.board.family == "ecp5":
        return [code_digest(Path(ecp5.__file__)), find.version("nextpnr-ecp5")]
    places, why = xc7.open_flow(job.board)
    return [code_digest(Path(xc7.__file__)), places, why]


def _model_inputs(job: Job) -> list[Any]:
    return [file_digest(job.source), _side(job.source), job.stream, code_digest(*SOFTWARE)]


def _elaborate_inputs(job: Job) -> list[Any]:
    versions = [importlib.metadata.version(p) for p in ("amaranth", "amaranth-boards")]
    return [_board(job), code_digest(*HARDWARE), versions, yosys.version()]


def _synthesis_inputs(job: Job) -> list[Any]:
    family = xc7 if job.board.family == "xc7" else ecp5
    return [family.synthesis_commands("top.il", "top.json", "top.stat"), yosys.version()]


def _own_inputs(job: Job) -> list[Any]:
    return [_board(job), code_digest(ROOT / "hw/build", ROOT / "hw/tools")]


def _report_inputs(job: Job) -> list[Any]:
    return [*_own_inputs(job), tool_versions(job.board)]


STEPS = (
    Step("load", "read the model", _model_inputs, _load),
    Step("lower", "float to integer network", _model_inputs, _lower),
    Step("compile", "memory images and program",
         lambda job: [_board(job), code_digest(*SOFTWARE)], _compile),
    Step("elaborate", "RTL", _elaborate_inputs, _elaborate),
    Step("synthesise", "netlist", _synthesis_inputs, _synthesise),
    Step("check", "cells, contents, budget, timing estimate", _own_inputs, _check),
    Step("constrain", "pins, clocks, scripts", _own_inputs, _constrain),
    Step("route", "place and route", _route_inputs, _route),
    Step("pack", "bitstream", _route_inputs, _pack),
    Step("report", "report.json and report.txt", _report_inputs, _report),
)  # fmt: skip
NAMES = tuple(s.name for s in STEPS)
