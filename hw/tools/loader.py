"""Bitstreams into FPGAs by openFPGALoader, and in one sentence why not."""

import re
import subprocess
from pathlib import Path

from hw.common.errors import SpikeloomError
from hw.common.process import run
from hw.tools import find
from hw.tools.errors import ToolFailed
from hw.tools.find import LIBRARIES, run_tool

NAME = "openFPGALoader"
LOG = "program.log"
#: What it prints, what that means and what helps; the first that fits. Groups go into the braces.
FAULTS = tuple(
    (re.compile(pattern, re.IGNORECASE), what, cure)
    for pattern, what, cure in (
        (
            r"shared librar\w+: (\S+?):",
            f"{NAME} lacks the library {{0}}",
            f"install {LIBRARIES}",
        ),
        (
            r"cannot find board '([^']*)'",
            f"this {NAME} does not know the board {{0}}",
            "install a newer one",
        ),
        (
            r"support for (\S+) was not enabled",
            f"this {NAME} was built without the cable {{0}}",
            "install the one of your system (Debian: apt install openfpgaloader)",
        ),
        (
            r"ftdi device: -[48]\b|usb_open\(\) failed|permission|error_access",
            "its cable is there, but you may not use it",
            "install openFPGALoader's udev rules and plug the board in anew, or ask as root",
        ),
        (
            r"ftdi device: -5\b|unable to claim|fail to claim|error_busy",
            "another program uses its cable",
            "close that one (a terminal, the vendor's tool), then try again",
        ),
        (
            r"no dfu compatible device",
            "no board waits for a bitstream",
            "plug it in by USB with its button held, which starts its loader",
        ),
        (
            r"ftdi device: -3\b|no cable found|no usb devices found|device not found",
            "no cable of this board was found",
            "connect the board's USB port for programming, and switch the board on",
        ),
        (
            r"no device found|tdo is stuck|device \w+ not supported|unknown device",
            "its cable is there, but its FPGA does not answer",
            "switch the board on, and see that it is this board",
        ),
    )
)


def ready(board: str, loader: str) -> None:
    """Raise SpikeloomError where nothing could be programmed, whatever is plugged in.

    Parameters
    ----------
    board : what the board is called in a message.
    loader : openFPGALoader's name of it.
    """
    if not loader:
        raise SpikeloomError(
            f"{board}: {NAME} has no name for this board; program its bitstream with the tool that "
            "came with it"
        )
    command = find.find(NAME)
    try:
        done = run([command, find.TOOLS[NAME].asks], timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SpikeloomError(
            f"{board}: {command} cannot be run ({error}); {find.TOOLS[NAME].cure}"
        ) from None
    if done.returncode:
        _refuse(board, done.stdout + done.stderr)


def program(board: str, loader: str, folder: Path, bitstream: str) -> None:
    """Load a bitstream into an FPGA, where it stays until power goes.

    Parameters
    ----------
    board, loader : as in `ready`.
    folder : of the bitstream; what is said goes into ``logs/program.log`` there.
    bitstream : its name.

    SpikeloomError says in a sentence what is missing; ToolFailed carries what else is said.
    """
    ready(board, loader)
    try:
        run_tool(NAME, ["-b", loader, bitstream], cwd=folder, log=f"logs/{LOG}")
    except ToolFailed as error:
        _refuse(board, error.log.read_text(encoding="utf-8", errors="replace"))
        raise


def _refuse(board: str, said: str) -> None:
    """Raise SpikeloomError where what was said has a known meaning."""
    for pattern, what, cure in FAULTS:
        if found := pattern.search(said):
            raise SpikeloomError(f"{board}: {what.format(*found.groups())}; {cure}")
