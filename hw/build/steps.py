"""The steps of a build, from a trained network to a bitstream and its report."""

import dataclasses
import functools
import importlib.metadata
import inspect
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards import Board
from hw.build import board_top, ecp5, report, xc7
from hw.build.contents import refuse_other_contents
from hw.build.pipeline import Event, Step
from hw.build.sources import source_digest
from hw.common.errors import SpikeloomError
from hw.common.files import file_digest, write, write_json
from hw.tools import check_xc7, find, timing_xc7, yosys
from hw.tools.export import verilog_from_rtlil
from hw.tools.netlist import Netlist, ecp5_resources, xc7_resources

MEASURED, BATCH = 10_000, 500  #: Test images whose integer accuracy is measured; at a time.
#: What a report tells of a model, where its side file holds it.
ACCURACY = (
    "data",
    "split",
    "test_images",
    "test_accuracy",
    "test_acc",
    "test_wrong",
    "integer_test_accuracy",
    "integer_test_wrong",
    "command",
)


def board_design(board: Board, program: Any) -> Any:
    """Return the design that goes on a board: UART and core, its memories initialised."""
    from hw.soc.top import Top

    target = "xc7" if board.family == "xc7" else "generic"
    return Top(board.config, clk_freq=board.core_clock, program=program, target=target)


@dataclass
class Job:
    """What one build is about, and what it has made so far."""

    given: Board
    model: str
    output: Path
    tell: Callable[[Event], None]
    design: Callable[[Board, Any], Any] = board_design
    stream: bool = False  #: One call per step, membranes in memory.
    fit: bool = False  #: Make the memories as deep as the network needs.

    @functools.cached_property
    def board(self) -> Board:
        """The board, with the core that is built; with ``fit`` only after the step 'lower'."""
        if not self.fit:
            return self.given
        from sw.compiler import fit_config

        config = fit_config(self.integer(), self.given.config)
        return dataclasses.replace(self.given, config=config)

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
        from sw.api import IntegerNetwork

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


def _side(source: Path) -> dict[str, Any]:
    """Return the side file of a model, as the loader finds it, or nothing."""
    from sw.frontend.files import read_sidecar

    return read_sidecar(source)


def _load(job: Job, work: Path) -> None:
    side = _side(job.source)
    meta = job.network.meta if isinstance(getattr(job.network, "meta", None), dict) else {}
    known = {**meta, **side}
    write_json(
        work / "model.json",
        {
            "name": job.network.name,
            "source": job.source.name,
            "sha256": file_digest(job.source),
            "accuracy": {k: known[k] for k in ACCURACY if k in known},
        },
    )


def _lower(job: Job, work: Path) -> None:
    from sw.lower import choices

    network = job.network.lower(stream=job.stream)
    network.save(work / "network.npz")
    for line in choices(network):
        job.note("lower", line)


def _compile(job: Job, work: Path) -> None:
    from sw.room import compile_told

    program = compile_told(job.integer(), job.board.config)
    program.save(work / "program.npz")
    write(work / "program.txt", program.disassemble())
    write_images(program, work / "images")


def write_images(program: Any, folder: Path) -> None:
    """Write the memory images as text for ``$readmemh``: one word a line, one file a bank."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "prog.hex", "".join(f"{int(w):08x}\n" for w in program.words))
    for bank, words in enumerate(program.columns):
        lines = ("".join(f"{int(part):08x}" for part in reversed(word)) for word in words)
        write(folder / f"col_{bank:02}.hex", "".join(f"{line}\n" for line in lines))


def _elaborate(job: Job, work: Path) -> None:
    made = board_top.elaborate(job.board, job.design(job.board, job.program()))
    write(work / "top.il", made.rtlil)
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
        check_xc7.refuse_offences(netlist, job.output / "top.json", {board_top.RESET_DONE: 0})
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
    write_json(work / "check.json", {"cells": counts, "resources": used, "clock": clock})


def _constrain(job: Job, work: Path) -> None:
    pins, clocks = job.elaborated()
    if job.board.family == "xc7":
        write(work / "top.xdc", xc7.constraints(pins, clocks))
        write(work / "build_vivado.tcl", xc7.vivado_script(job.board))
        write(work / "build_openxc7.sh", xc7.open_script(job.board)).chmod(0o755)
    else:
        write(work / "top.lpf", ecp5.constraints(pins, clocks))


def _route(job: Job, work: Path) -> str | None:
    if job.board.family == "ecp5":
        job.bring(work, "top.json", "top.lpf")
        ecp5.route(job.board, work)
        for name in ("top.json", "top.lpf"):
            (work / name).unlink()
        return None
    places, why = xc7.open_flow(job.board)
    if places is None:
        write_json(work / "route.json", {"routed": False, "reason": why})
        return f"no bitstream: {why}; build_openxc7.sh and build_vivado.tcl make it"
    job.bring(work, "top.json", "top.xdc")
    xc7.route(job.board, places, work)
    for name in ("top.json", "top.xdc"):
        (work / name).unlink()
    write_json(work / "route.json", {"routed": True, "reason": why})
    return None


def _pack(job: Job, work: Path) -> str | None:
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
        return None
    if not job.read("route.json")["routed"]:
        return "nothing was routed"
    places, why = xc7.open_flow(job.board)
    if places is None:
        raise SpikeloomError(f"the design is routed, but it cannot be packed: {why}")
    job.bring(work, "top.fasm")
    xc7.pack(job.board, places, work)
    for name in ("top.fasm", "top.frames"):
        (work / name).unlink()
    return None


def _report(job: Job, work: Path) -> None:
    value = make_report(job)
    write(work / "report.txt", report.to_text(value))
    write(work / "report.json", report.to_json(value))


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
            "estimated",
            checked["clock"]["fmax_mhz"],
            board.core_clock,
            f"sum of cell delays and {timing_xc7.NET} ns a net, before place and route",
        )
    bit = job.output / "top.bit"
    made = bit.is_file()
    return {
        "schema": report.SCHEMA,
        "board": {
            "name": board.name,
            "title": board.title,
            "part": board.part,
            "family": board.family,
            "clock_hz": board.core_clock,
        },
        "model": {**job.read("model.json"), **integer_accuracy(job)},
        "core": board.config.as_dict(),
        "resources": used,
        "cells": checked["cells"],
        "timing": clock,
        "cycles": report.cycles("forecast", program, board.core_clock),
        "memory": report.memory_map(program),
        "membranes": report.membranes(program),
        "bitstream": {
            "file": bit.name if made else None,
            "bytes": bit.stat().st_size if made else None,
            "sha256": file_digest(bit) if made else None,
            "reason": None if made else job.read("route.json")["reason"],
        },
        "tools": tool_versions(board),
    }


def integer_accuracy(job: Job) -> dict[str, Any]:
    """Return what a report tells of the integer network's accuracy.

    Where the model's side file does not tell it, and its data set is known and here, it is
    measured: the golden model on the test split, at most MEASURED images.
    """
    known = job.read("model.json")
    if "integer_test_accuracy" in known["accuracy"]:
        return {}
    network, data = job.integer(), known["accuracy"].get("data")
    how = f"python -m sw.agree {job.model} measures it"
    if network.stream or network.per_step_input:
        return {"integer_accuracy_note": "not measured: the network reads no still images"}
    if not isinstance(data, str):
        return {
            "integer_accuracy_note": f"not measured: its data set is not named; {how} on "
            "--data NAME"
        }
    from sw.data import load

    try:
        if network.height != network.width:
            raise SpikeloomError(f"images of {network.height}x{network.width} are not square")
        split = load(data, network.height)
    except SpikeloomError as error:
        return {"integer_accuracy_note": f"not measured: {error}; then {how}"}
    images, labels = split.test_images[:MEASURED], split.test_labels[:MEASURED]
    if images.shape[1:] not in (
        (network.channels, network.height, network.width),
        (network.height, network.width),
    ):
        return {"integer_accuracy_note": f"not measured: images of {data} have another shape"}
    job.note("report", f"golden model on {len(images)} test images of {data}")
    wrong = 0
    for at in range(0, len(images), BATCH):
        part = slice(at, at + BATCH)
        wrong += int((network.run(images[part]).predictions != labels[part]).sum())
    share = 1 - wrong / len(images)
    return {
        "accuracy": {
            **known["accuracy"],
            "integer_test_images": len(images),
            "integer_test_accuracy": share,
            "integer_test_wrong": wrong,
        }
    }


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
    return dataclasses.asdict(job.board)


def _versions(*packages: str) -> list[str]:
    return [f"{p} {importlib.metadata.version(p)}" for p in packages]


def _model_inputs(job: Job) -> list[Any]:
    return [
        file_digest(job.source),
        _side(job.source),
        job.stream,
        _versions("numpy", "safetensors"),
        source_digest("sw", "sw.frontend.loader", "sw.lower"),
        _own(),
    ]


def _own() -> str:
    """Digest of this file alone, which is of every step."""
    return file_digest(Path(__file__))


def _compile_inputs(job: Job) -> list[Any]:
    modules = ("sw.compiler", "sw.network.storage", "sw.room")
    return [_board(job), _versions("numpy"), source_digest(*modules), _own()]


def _elaborate_inputs(job: Job) -> list[Any]:
    design = inspect.getsourcefile(job.design)
    return [
        _board(job),
        _versions("amaranth", "amaranth-boards"),
        yosys.version(),
        source_digest(
            "hw.soc.top", "hw.build.board_top", "hw.tools.export", f"boards.{job.board.name}"
        ),
        job.design.__qualname__,
        file_digest(Path(design)) if design else "",
        _own(),
    ]


def _synthesis_inputs(job: Job) -> list[Any]:
    family = xc7 if job.board.family == "xc7" else ecp5
    commands = family.synthesis_commands("top.il", "top.json", "top.stat")
    return [commands, yosys.version(), source_digest("hw.tools.yosys")]


def _check_inputs(job: Job) -> list[Any]:
    modules = ("hw.tools.check_xc7", "hw.tools.timing_xc7", "hw.tools.netlist", "hw.build.contents")
    return [_board(job), source_digest(*modules), _own()]


def _constrain_inputs(job: Job) -> list[Any]:
    return [_board(job), source_digest("hw.build.xc7", "hw.build.ecp5"), _own()]


def _route_inputs(job: Job) -> list[Any]:
    if job.board.family == "ecp5":
        return [
            file_digest(Path(ecp5.__file__)),
            source_digest("hw.tools.find"),
            find.version("nextpnr-ecp5"),
        ]
    places, why = xc7.open_flow(job.board)
    version = find.version("nextpnr-xilinx") if find.have("nextpnr-xilinx") else ""
    return [file_digest(Path(xc7.__file__)), source_digest("hw.tools.find"), places, why, version]


def _report_inputs(job: Job) -> list[Any]:
    modules = ("hw.build.report", "sw.compiler.report", "sw.data", "sw.host.rate")
    return [_board(job), source_digest(*modules), tool_versions(job.board), _present(job), _own()]


def _present(job: Job) -> bool:
    """Whether the model's data set is here, on which accuracy would be measured."""
    from sw.data.fetch import is_present, source_of

    try:
        return is_present(source_of(job.read("model.json")["accuracy"]["data"]))
    except (KeyError, TypeError, SpikeloomError):
        return False


STEPS = (
    Step("load", "read the model", _model_inputs, _load),
    Step("lower", "float to integer network", _model_inputs, _lower),
    Step("compile", "memory images and program", _compile_inputs, _compile),
    Step("elaborate", "RTL", _elaborate_inputs, _elaborate),
    Step("synthesise", "netlist", _synthesis_inputs, _synthesise),
    Step("check", "cells, contents, budget, timing estimate", _check_inputs, _check),
    Step("constrain", "pins, clocks, scripts", _constrain_inputs, _constrain),
    Step("route", "place and route", _route_inputs, _route),
    Step("pack", "bitstream", _route_inputs, _pack),
    Step("report", "report.json and report.txt", _report_inputs, _report),
)
NAMES = tuple(s.name for s in STEPS)
