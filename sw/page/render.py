"""From what a page tells to its HTML: one file, nothing loaded from elsewhere, no script."""

import functools
from pathlib import Path

import jinja2
from markupsafe import Markup

import spikeloom
from sw.page.charts.drawing import clean, readable
from sw.page.facts import Page
from sw.page.sections import about, sections, tiles

HERE = Path(__file__).parent


def html(page: Page) -> str:
    """Return the page's text; every name in it is a stranger's, and escaped."""
    core = page.core
    return _template().render(
        name=readable(page.name, 120),
        board=readable(page.report.get("board", {}).get("title", ""), 120),
        core=f"a core of {core['rows']} rows × {core['cols']} columns × {core['width']} bits",
        style=_style(),
        tiles=tiles(page),
        sections=sections(page),
        about=about(page),
        version=spikeloom.__version__,
    )


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
    )
    return environment.from_string((HERE / "page.html").read_text(encoding="utf-8"))


def _clean(value: object) -> object:
    """Return a text without characters that HTML cannot hold; what is marked safe stays."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return clean(value)
    return value


@functools.cache
def _style() -> Markup:
    return Markup((HERE / "page.css").read_text(encoding="utf-8"))
