"""A page as a file: whole or not at all, and what it needs."""

import importlib.util
import os
from pathlib import Path

from hw.common import files
from hw.common.errors import SpikeloomError
from sw.page.facts import Page

NEEDS = ("matplotlib", "jinja2")


def missing() -> str | None:
    """Return in a sentence what is missing for a page; None where nothing is."""
    lacks = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if not lacks:
        return None
    names = " and ".join(lacks)
    return f"a page needs {names}; pip install {' '.join(lacks)}"


def write(page: Page, path: str | os.PathLike) -> Path:
    """Write a page as one HTML file; SpikeloomError where that cannot be."""
    if lacks := missing():
        raise SpikeloomError(lacks)
    from sw.page.render import html

    return files.write(path, html(page), "choose another file with --output")
