"""What decides what a step makes, besides the results of the steps before it: as JSON values."""

import dataclasses
import importlib.metadata
import importlib.util
import inspect
from pathlib import Path
from typing import Any

from hw.build import job as job_module
from hw.build import network
from hw.build.job import Job
from hw.build.sources import source_digest
from hw.common.files import digest, file_digest
from hw.tools import find, yosys
from sw.page.write import NEEDS


def of_model(job: Job) -> list[Any]:
    """Of reading a model and lowering it."""
    return [
        file_digest(job.source),
        network.side(job.source),
        job.stream,
        _versions("numpy", "safetensors"),
        source_digest("sw", "sw.frontend.loader", "sw.lower"),
        _own(),
    ]


def of_program(job: Job) -> list[Any]:
    """Of compiling."""
    modules = ("sw.compiler", "sw.network.storage", "sw.room", "hw.outside.nor")
    return [_board(job), _versions("numpy"), source_digest(*modules), _own()]


def of_rtl(job: Job) -> list[Any]:
    """Of elaborating."""
    return [
        _board(job),
        _versions("amaranth", "amaranth-boards"),
        yosys.version(),
        source_digest(
            "hw.soc.top", "hw.build.board_top", "hw.tools.export", f"boards.{job.board.name}"
        ),
        job.design.__qualname__,
        _code(job.design),
        _code(type(job.target)),
        _own(),
    ]


def of_netlist(job: Job) -> list[Any]:
    """Of synthesis."""
    commands = job.target.synthesis("top.il", "top.json", "top.stat")
    tools = ("hw.tools.yosys", "hw.tools.outreg_ecp5", "hw.tools.multreg_ecp5")
    return [commands, yosys.version(), source_digest(*tools), _code(type(job.target))]


def of_target(job: Job) -> list[Any]:
    """Of the target's checks and constraint files."""
    return [_board(job), *_target(job), job.target.checks(), _own()]


def of_bitstream(job: Job) -> list[Any]:
    """Of place and route, and of packing: the tools in use among them."""
    return [*_target(job), job.target.inputs()]


def of_report(job: Job) -> list[Any]:
    """Of the report: whether the data set is here on which accuracy would be measured, too."""
    modules = ("hw.build.report", "sw.compiler.report", "sw.data", "sw.host.rate")
    present = network.measurable(job.read("model.json"))
    return [_board(job), source_digest(*modules), tool_versions(job), present, _own()]


def of_page(job: Job) -> list[Any]:
    """Of the page: whether the data set is here whose first image it shows, too."""
    found = [importlib.util.find_spec(name) is not None for name in NEEDS]
    versions = _versions(*(name for name, here in zip(NEEDS, found, strict=True) if here))
    present = network.measurable(job.read("model.json"))
    return [
        source_digest("sw.page", "sw.page.render"),
        versions,
        job.target.titles,
        present,
        _own(),
    ]


def tool_versions(job: Job) -> dict[str, str]:
    """Return the versions of what a build uses."""
    out = {p: importlib.metadata.version(p) for p in ("amaranth", "amaranth-boards")}
    out["yosys"] = yosys.version()
    for name in job.target.tools:
        if find.have(name):
            out[name] = find.version(name)
    return out


def _board(job: Job) -> list[Any]:
    return [dataclasses.asdict(job.board), dataclasses.asdict(job.board.die)]


def _target(job: Job) -> list[Any]:
    kind = type(job.target)
    return [_code(kind), source_digest(kind.__module__)]


def _versions(*packages: str) -> list[str]:
    return [f"{p} {importlib.metadata.version(p)}" for p in packages]


def _code(thing: Any) -> str:
    """Digest of the file that defines a function or a class, which need not be ours."""
    path = inspect.getsourcefile(thing)
    return file_digest(Path(path)) if path else ""


def _own() -> str:
    """Digest of what the steps themselves do."""
    files = [Path(str(m.__file__)) for m in (job_module, network)]
    beside = (f"{name}.py" for name in ("steps", "flash", "outside"))
    return digest(*map(file_digest, [*files, *map(Path(__file__).with_name, beside)]))
