"""Where a page's facts are: the folder of a build or of a simulation, checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.common.errors import SpikeloomError
from hw.common.files import read_json
from hw.common.show import shown
from sw.compiler.program import Program
from sw.network import IntegerNetwork, storage
from sw.page.facts import Checked

_NUMBER, _MAYBE = (int, float), (int, float, type(None))
#: What a page reads of a report, by section: field and its types. Sections may be missing.
_FIELDS: dict[str, dict[str, Any]] = {
    "board": {"title": str, "part": str, "clock_hz": int},
    "resources": {"kind": str, "items": dict},
    "timing": {"kind": str, "fmax_mhz": _MAYBE, "clock_mhz": _NUMBER, "met": (bool, type(None))},
    "cycles": {"total": int},
    "simulation": {"cycles": list, "writes": int, "compared": list, "mismatches": list},
}
_LATENCY = {"latency_ms": _NUMBER, "images_per_second": _NUMBER, "link": dict}
_LINK = {"baud": int, "bytes_per_image": int, "images_per_second": _NUMBER}
_ITEM = {"used": _NUMBER, "available": _MAYBE, "share": _MAYBE}


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What a folder holds."""

    program: Program
    network: IntegerNetwork | None
    report: dict[str, Any]
    checked: Checked | None


def read_folder(folder: Path) -> Source:
    """Read what a build or a simulation has left in a folder."""
    for name, what in (("report.json", "report"), ("program.npz", "program")):
        if not (folder / name).is_file():
            raise SpikeloomError(
                f"{folder}: there is no {name}, and without its {what} a build has no page; give "
                "the folder of a build that has ended, or the name of a network"
            )
    report = check_report(read_json(folder / "report.json"), folder / "report.json")
    program, kept = Program.load(folder / "program.npz"), folder / "network.npz"
    told = report.get("cycles", {}).get("total", program.cycles)
    if "simulation" not in report and told != program.cycles:
        raise SpikeloomError(
            f"{folder}: report.json tells {told} cycles, but program.npz takes {program.cycles}; "
            "they are of two builds: build again"
        )
    return Source(
        program=program,
        network=storage.load(kept) if kept.is_file() else None,
        report=report,
        checked=checked(report),
    )


def checked(report: dict[str, Any]) -> Checked | None:
    """Return what a simulation compared, of its report."""
    found = report.get("simulation")
    if found is None:
        return None
    return Checked(
        cycles=tuple(found["cycles"]),
        writes=found["writes"],
        compared=tuple(found["compared"]),
        mismatches=tuple(found["mismatches"]),
    )


def check_report(value: Any, path: Path) -> dict[str, Any]:
    """Return a report whose fields are what a page takes them for; SpikeloomError names another."""

    def check(part: Any, fields: dict[str, Any], where: str) -> None:
        if not isinstance(part, dict):
            raise SpikeloomError(f"{path}: {where} is {shown(part)}, not a section of a report")
        for name, types in fields.items():
            found = part.get(name)
            if not isinstance(found, types) or (
                isinstance(found, bool) and types in (_NUMBER, int)
            ):
                raise SpikeloomError(
                    f"{path}: {where}: {name} is {shown(found)}, which no build writes; build again"
                )

    check(value, {}, "all of it")
    for section, fields in _FIELDS.items():
        if section in value:
            check(value[section], fields, section)
    for section in ("model", "tools", "bitstream"):
        check(value.get(section, {}), {}, section)
    for name, item in value.get("resources", {"items": {}})["items"].items():
        check(item, _ITEM, f"resources: {shown(name)}")
    if "latency_ms" in value.get("cycles", {}):
        check(value["cycles"], _LATENCY, "cycles")
        check(value["cycles"]["link"], _LINK, "cycles: link")
        if value["cycles"]["link"]["baud"] < 1 or value.get("board", {}).get("clock_hz", 0) < 1:
            raise SpikeloomError(f"{path}: no clock and rate of a link; build again")
    if "resources" in value and not {"board", "timing"} <= value.keys():
        raise SpikeloomError(f"{path}: resources of no board; build again")
    if any(type(n) is not int for n in value.get("simulation", {"cycles": []})["cycles"]):
        raise SpikeloomError(f"{path}: cycles of a simulation that are no numbers")
    return value
