"""The open 7-series tools wherever they were installed: router, databases, assembler.

Known layouts are those of apio's package, of openXC7 built from source, of its Nix shell and of its
snap; the environment's variables win over all of them.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.common.errors import SpikeloomError
from hw.tools import find
from hw.tools.errors import ToolchainNotFound
from hw.tools.nextpnr_xc7 import Router, router

CHIPDB, DATABASE = "SPIKELOOM_CHIPDB", "PRJXRAY_DB_DIR"  #: Environment variables.
#: Of openXC7's Nix shell: folders of chip databases, of all series and of one.
CHIPDB_FOLDERS = ("NEXTPNR_XILINX_CHIPDB_DIR", "{SERIES}_CHIPDB")
#: Where chip databases lie in an installation, and Project X-Ray's.
CHIPDB_IN = ("chipdb", "share/nextpnr/himbaechel/xilinx", "share/himbaechel/xilinx")
DATABASE_IN = (
    "share/nextpnr/external/prjxray-db",
    "share/nextpnr/prjxray-db",
    "opt/nextpnr-xilinx/external/prjxray-db",
    "external/prjxray-db",
    "lib/external/prjxray-db",
)
INDEX = ("XILINX-PARTS-INDEX.json", "PARTS-INDEX.json")  #: Of apio's package, now and before.
ASSEMBLERS = (("fasm2frames", "xc7frames2bit"), ("fpga-as",))  #: The first that is whole is used.


class Missing(ToolchainNotFound):
    """A part of the open flow is not here; ``why`` says which, as the end of a sentence."""

    def __init__(self, why: str):
        self.why = why
        super().__init__("the open 7-series flow", why)


@dataclass(frozen=True)
class Flow:
    """What takes a netlist to a bitstream.

    Attributes
    ----------
    router : the router.
    chipdb : its database of the part or die.
    database : Project X-Ray's of the part's series.
    assembler : the tools from FASM to bitstream, an entry of `ASSEMBLERS`.
    """

    router: Router
    chipdb: Path
    database: Path
    assembler: tuple[str, ...]


def find_flow(part: str, series: str) -> Flow:
    """Return the open flow for a part.

    Parameters
    ----------
    part, series : as Project X-Ray has them, ``"xc7a35tcsg324-1"`` and ``"artix7"``.

    Missing where something is not here; SpikeloomError where a variable leads to nothing.
    """
    try:
        found = router()
    except ToolchainNotFound as error:
        if os.environ.get(find.TOOLS["nextpnr-xilinx"].variable):
            raise
        raise Missing(f"{error.tool} is not installed") from None
    roots = _roots(found.command)
    chipdb = _chipdb(found, part, series, roots)
    database = _database(part, series, roots)
    for tools in ASSEMBLERS:
        if all(find.have(tool) for tool in tools):
            return Flow(found, chipdb, database, tools)
    whole = " nor ".join(" with ".join(tools) for tools in ASSEMBLERS)
    raise Missing(f"neither {whole} is installed")


def _roots(command: str) -> list[Path]:
    """Installations, that of the router first."""
    out = []
    for path in (Path(command).absolute(), Path(command).resolve()):
        folder = path.parent.parent
        out += [folder.parent] if folder.name == "usr" else []
        out.append(folder)
    return list(dict.fromkeys([*out, *find.roots(find.OPENXC7_ROOTS)]))


def _given(name: str) -> Path | None:
    """The place that a variable names."""
    text = os.environ.get(name)
    if not text:
        return None
    if not Path(text).exists():
        raise SpikeloomError(f"{name} is {text!r}, but there is nothing; correct or unset it")
    return Path(text).resolve()


def _chipdb(found: Router, part: str, series: str, roots: Iterable[Path]) -> Path:
    names = found.databases(part)
    given = _given(CHIPDB)
    if given and given.is_file():
        return given
    folders = [given] if given else []
    for variable in CHIPDB_FOLDERS:
        text = os.environ.get(variable.format(SERIES=series.upper()), "")
        folders += [Path(place) for place in text.split(os.pathsep) if place]
    why = ""
    for root, entry in _indexed(roots, part):
        name = entry.get("chipdb")
        if isinstance(name, str):
            names = (*names, name)
        if not why and not entry.get("generated", True):
            why = f"the package in {root} has no chip database of {part}"
        elif not why:
            why = (
                f"the chip database of {part} is not in {root}; apio fetches it with the first "
                "'apio build' of a project for a board of that part"
            )
    folders += [root / part_of for root in roots for part_of in CHIPDB_IN]
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return (folder / name).resolve()
    raise Missing(
        why or f"{names[0]}, the router's chip database, was not found; {CHIPDB} may name it"
    )


def _indexed(roots: Iterable[Path], part: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What indices of installations tell of a part, with the installation."""
    for root in roots:
        for name in INDEX:
            try:
                entry = json.loads((root / name).read_text(encoding="utf-8"))["parts"][part]
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if isinstance(entry, dict):
                yield root, entry


def _database(part: str, series: str, roots: Iterable[Path]) -> Path:
    given = _given(DATABASE)
    folders = [given] if given else [root / place for root in roots for place in DATABASE_IN]
    held = [folder / series for folder in folders if (folder / series).is_dir()]
    for folder in held:
        if (folder / part / "part.yaml").is_file():
            return folder.resolve()
    if held:
        raise Missing(f"Project X-Ray's database in {held[0]} does not know {part}")
    if given:
        raise SpikeloomError(
            f"{DATABASE} is '{given}', but holds no folder {series}; correct or unset it"
        )
    raise Missing(f"Project X-Ray's database was not found; {DATABASE} may name its folder")
