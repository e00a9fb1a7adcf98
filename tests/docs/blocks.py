"""Code blocks of a Markdown page: found, told apart, and run."""

import doctest
import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int  #: Of its first line of text, from 1.
    language: str  #: Behind the fence; "" where nothing stands there.
    text: str

    @property
    def session(self) -> bool:
        """Whether it is a Python session whose results stand in the page."""
        return ">>> " in self.text


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the blocks of a page in ``languages``."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start(2)) + 1, found[1], found[2])
        for found in FENCE.finditer(text)
        if found[1] in languages
    ]


def play(block: Block, names: dict) -> str:
    """Run a block in ``names``; "" where all of it went well, else what went wrong.

    In a session every result must be the one that the page shows; a block without results must
    run to its end, and what it asserts must hold.
    """
    where = f"{block.page.name}:{block.line}"
    if not block.session:
        exec(compile("\n" * (block.line - 1) + block.text, str(block.page), "exec"), names)
        return ""
    test = doctest.DocTestParser().get_doctest(
        block.text, names, where, str(block.page), block.line - 1
    )
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    runner.run(test, out=told.append, clear_globs=False)
    names.update(test.globs)
    return "".join(told)
