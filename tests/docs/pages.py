"""The pages, and the commands that they name."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.docs.blocks import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
]
#: What stands in a page where the reader puts something of theirs.
MEANT = {
    "MODEL": "digits",
    "FAMILY": "qsnn",
    "NAME": "digits",
    "PORT": "/dev/ttyUSB1",
    "B": "8",
    "M": "5",
    "N": "3",
    "T": "2",
    "K=V,...": "rows=8",
}
BOARDS = ("BOARD", "NAME")  #: Behind --board.
RUN = re.compile(
    r"(?:python -m ((?:hw|sw|sim|benchmarks|tests|spikeloom)[\w.]*\w)|spikeloom)(?= |$)"
)


@dataclass(frozen=True)
class Command:
    """A command line of ours that a page names."""

    page: Path
    module: str  #: What ``python -m`` runs; ``spikeloom`` where that is the command.
    arguments: tuple[str, ...]
    line: str  #: As the page has it.
    block: bool  #: It stands in a shell block and not in running text.


def shell_lines(page: Path) -> list[str]:
    """Return the lines of shell blocks, those that end in a backslash joined."""
    out = []
    for block in blocks(page, "", "sh"):
        out += re.sub(r"\\\n\s*", "", block.text).splitlines()
    return [line for line in out if line.strip()]


def spans(page: Path) -> list[str]:
    """Return what stands in backticks outside of blocks, each on one line."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", lambda found: found[0], text, flags=re.S)
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", text)]


def _meant(words: list[str]) -> tuple[str, ...]:
    """Return arguments with something for what the reader puts in."""
    out = []
    for before, word in zip(["", *words], words, strict=False):
        if word in BOARDS and before == "--board":
            out.append("arty_a7")
        elif word != "...":
            out.append(MEANT.get(word, word))
    return tuple(out)


def commands(page: Path) -> list[Command]:
    """Return the commands of ours that a page names, in blocks and in running text."""
    out = []
    for lines, block in ((shell_lines(page), True), (spans(page), False)):
        for line in lines:
            for part in re.split(r"&&|;|\|\s", line):
                found = RUN.search(part.strip())
                if not found or (found.start() and not block):
                    continue
                arguments = _meant(shlex.split(part.strip()[found.end() :]))
                out.append(Command(page, found[1] or "spikeloom", arguments, line, block))
    return out


def every_command() -> list[Command]:
    """Return the commands of all pages."""
    return [command for page in PAGES for command in commands(page)]
