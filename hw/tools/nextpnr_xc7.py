"""The 7-series router in use: of which generation, of which version, and what it gets right.

Two programs go by the names that are looked for. nextpnr-xilinx takes ``--xdc`` and ``--fasm`` and
a chip database of a part; its successor, himbaechel (which apio installs as ``nextpnr-xilinx``
too), takes ``--device``, ``-o xdc=`` and ``-o fasm=`` and one of a die. Their help tells which one
it is.
"""

import functools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hw.common.process import run
from hw.tools import find

#: A version as `Router.version` has it.
Version = tuple[int, ...]
#: What releases before got wrong, and from which nextpnr-xilinx on it is right; what is not here is
#: wrong in all of them. No release of himbaechel is known to get any of it right.
RIGHT_FROM: dict[str, Version] = {
    "parity": (0, 9, 2),  # openXC7/nextpnr-xilinx#95
    "wide": (0, 9, 3),  # #112, #150
    "LUT6_2": (0, 9, 3),  # #103, #148
    "RAM128X1S": (0, 9, 3),  # #144
    "RAM256X1S": (0, 9, 3),  # #142
    "RAM64X1S": (0, 9, 6),  # #196
}
#: Dies whose chip database is another's: the same silicon, sold as less.
DATABASE_OF = {"xc7a35t": "xc7a50t"}
_VERSION = re.compile(r"\(Version (?:nextpnr-)?(\d+)\.(\d+)(?:\.(\d+))?[^)]*\)")


@dataclass(frozen=True)
class Router:
    """A router that is installed.

    Attributes
    ----------
    command : how it is called.
    himbaechel : it is of the second generation.
    said : what it says of its version, a line.
    """

    command: str
    himbaechel: bool
    said: str

    @property
    def version(self) -> Version | None:
        """Its version; None where it says none, as builds of a commit do."""
        found = _VERSION.search(self.said)
        return tuple(int(n) for n in found.groups(default="0")) if found else None

    @property
    def title(self) -> str:
        """What it is called in a message."""
        kind = "nextpnr-himbaechel" if self.himbaechel else "nextpnr-xilinx"
        told = re.search(r"\(Version ([^)]*)\)", self.said)
        return f"{kind} {told[1]}" if told else f"{kind} of unknown version"

    def right(self, fault: str) -> bool:
        """Tell whether it is known to get right what others got wrong, a key of `RIGHT_FROM`."""
        since = RIGHT_FROM.get(fault)
        return not self.himbaechel and since is not None and (self.version or ()) >= since

    def arguments(self, part: str, chipdb: str, netlist: str, mhz: float, seed: int) -> list[str]:
        """Return its arguments from a netlist and ``top.xdc`` to ``top.fasm``.

        ``part`` is the part's name with its speed, as Project X-Ray has it; ``mhz`` the clock that
        is wanted where constraints name none.
        """
        common = ["--json", netlist, "--freq", f"{mhz:g}", "--seed", str(seed)]
        if self.himbaechel:
            places = ["-o", "xdc=top.xdc", "-o", "fasm=top.fasm"]
            return ["--device", part, "--chipdb", chipdb, *places, *common]
        return ["--chipdb", chipdb, "--xdc", "top.xdc", "--fasm", "top.fasm", *common]

    def databases(self, part: str) -> tuple[str, ...]:
        """Return the names that a chip database of a part goes by, the usual one first."""
        base = part.rpartition("-")[0]
        if not self.himbaechel:
            return (f"{base}.bin",)
        found = re.match(r"xc7[a-z]+\d+[ts]?", part)
        die = found[0] if found else base
        return (f"chipdb-{DATABASE_OF.get(die, die)}.bin",)


def router() -> Router:
    """Return the router in use; ToolchainNotFound where there is none."""
    command = find.find("nextpnr-xilinx")
    return _ask(command, Path(command).stat().st_mtime_ns)


@functools.cache
def _ask(command: str, changed: int) -> Router:
    text = "".join(_said(command, "--help"))
    lines = [line for part in _said(command, "--version") for line in part.splitlines()]
    told = next((line.strip() for line in lines if "(Version " in line), "")
    return Router(command, "--device" in text and "--vopt" in text, told)


def _said(command: str, option: str) -> tuple[str, str]:
    """Both outputs of a program that is asked something, whatever its exit status."""
    try:
        done = run([command, option], timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "", ""
    return done.stdout, done.stderr
