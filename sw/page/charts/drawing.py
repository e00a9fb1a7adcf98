"""From a matplotlib figure to SVG inside a page: its colours are variables of the page's style.

Text stays text in the page's font, ids are the page's own, a shape may have a title that a pointer
over it shows, and the same figure gives the same bytes.
"""

import contextlib
import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDE, NARROW, SMALL = 900, 360, 300  #: Pixels; a page shows the wide or the narrow form.
SIZE = 11  #: Of the charts' text, pixels.
ADVANCE = 6.2  #: Pixels of a character of it, on average, with room to spare.
#: Colours by name, as figures have them; the page's style says what each is, by day and by night.
COLOURS = {
    name: f"#{n:02x}ab{n:02x}"
    for n, name in enumerate(
        (
            "ink",
            "muted",
            "rule",
            "paper",
            "track",
            "pixels",
            "binary",
            "attention",
            "other",
            "constants",
            "image",
            "spikes",
            "map",
            "residual",
            "values",
            "good",
            "near",
            "over",
            "read",
            "gated",
            "written",
        ),
        start=1,
    )
}
SPIKE = (66, 133, 232)  #: Of pictures made of pixels: seen on white and on black.
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "spikeloom",
    "svg.image_inline": True,
    "text.parse_math": False,
    "font.size": SIZE,
    "font.family": "sans-serif",
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.edgecolor": COLOURS["rule"],
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": COLOURS["rule"],
    "ytick.color": COLOURS["rule"],
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "xtick.labelsize": SIZE - 1,
    "ytick.labelsize": SIZE - 1,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "axes.unicode_minus": False,
    "path.simplify": False,
}
_CONTROLS = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart in one form or two, as SVG, with what it says in words."""

    alt: str
    wide: str
    narrow: str = ""  #: For narrow windows; "": the same.


class Drawing:
    """A figure of so many pixels, and the titles of its shapes."""

    def __init__(self, width: float, height: float):
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
        self._titles: list[str] = []

    @property
    def narrow(self) -> bool:
        """Whether it is for a narrow window."""
        return self.width < 600

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return axes in a rectangle of pixels from the upper left corner."""
        w, h = self.width, self.height
        found = self.figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
        found.set_facecolor("none")
        return found

    def title(self, artist: Artist, text: str) -> None:
        """Let a shape say ``text`` when it is pointed at."""
        artist.set_gid(f"title-{len(self._titles)}")
        self._titles.append(readable(text))

    def svg(self, name: str, alt: str) -> str:
        """Return the figure as an element of a page, its ids beginning with ``name``."""
        buffer = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of glyphs: the page's font shows the text
            FigureCanvasSVG(self.figure).print_svg(buffer, metadata={"Date": None})
        root = ElementTree.fromstring(buffer.getvalue())
        _strip(root)
        self._entitle(root)
        _rename(root, name)
        for unwanted in ("width", "height", "version"):
            root.attrib.pop(unwanted, None)
        root.set("role", "img")
        root.set("aria-label", readable(alt))
        root.set("style", f"max-width:{self.width:g}px")
        return _coloured(ElementTree.tostring(root, encoding="unicode"))

    def _entitle(self, root: ElementTree.Element) -> None:
        for element in root.iter():
            key = element.get("id", "")
            if key.startswith("title-"):
                title = ElementTree.Element("title")
                title.text = self._titles[int(key.removeprefix("title-"))]
                element.insert(0, title)


def both(name: str, alt: str, draw: Callable[[float], Drawing]) -> Chart:
    """Return a chart in its wide and in its narrow form."""
    with styled():
        wide, narrow = (draw(width).svg(f"{name}-{width}", alt) for width in (WIDE, NARROW))
    return Chart(alt=alt, wide=wide, narrow=narrow)


def small(name: str, alt: str, draw: Callable[[float], Drawing], width: float = SMALL) -> Chart:
    """Return a small chart, many of which stand side by side."""
    with styled():
        return Chart(alt=alt, wide=draw(width).svg(name, alt))


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw in the page's style, whatever a user's own settings are."""
    with rc_context():
        import matplotlib

        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def readable(text: str, most: int = 300) -> str:
    """Return a stranger's text as one line of characters that any page can hold."""
    line = " ".join(part for part in clean(str(text)).split(" ") if part)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def clean(text: str) -> str:
    """Return a text without what controls a page or its direction, and line ends as spaces."""
    return "".join(c if unicodedata.category(c) not in _CONTROLS else " " for c in text)


def fitted(text: str, pixels: float) -> str:
    """Return the end of a name, as much as fits; "" where that is next to nothing."""
    line, most = readable(text), int(pixels / ADVANCE)
    if len(line) <= most:
        return line
    return f"…{line[-(most - 1) :]}" if most > 4 else ""


def number(value: float) -> str:
    """Return a number with narrow spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def percent(share: float, digits: int = 1) -> str:
    """Return a share in per cent, not to be broken."""
    return f"{100 * share:.{digits}f}\u202f%"


def beside(ax: Axes, text: str, y: float, *, gap: float = 6, **style: Any) -> None:
    """Write a text left of axes, at a height that is a share of theirs."""
    ax.annotate(text, (0, y), xycoords="axes fraction", xytext=(-gap, 0),
                textcoords="offset points", ha="right", va="center", **style)  # fmt: skip


def thousands(axes: Any) -> None:
    """Let an axis show numbers as `number` does."""
    axes.set_major_formatter(lambda value, _: number(int(value)) if value == int(value) else "")


def _strip(root: ElementTree.Element) -> None:
    """Take out what a page has itself: name spaces, metadata, styles, comments."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if _LINK in element.attrib:
            element.set("href", element.attrib.pop(_LINK))


def _rename(root: ElementTree.Element, name: str) -> None:
    """Keep the ids that something refers to, as the page's own."""
    used = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "href" and value.startswith("#"):
                used.add(value[1:])
            used.update(re.findall(r"url\(#([^)]+)\)", value))
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id":
                if value in used:
                    element.set(key, f"{name}-{value}")
                else:
                    del element.attrib[key]
            elif key == "href" and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{name}-"))


_BY_HEX = {value: f"var(--{name})" for name, value in COLOURS.items()}
_HEX = re.compile("|".join(_BY_HEX))
_FONT = re.compile(r"font: (?:(bold|[0-9]+) )?([0-9.]+)px [^;\"]*")


def _coloured(svg: str) -> str:
    def font(match: re.Match) -> str:
        weight = f"font-weight: {match[1]}; " if match[1] else ""
        return f"{weight}font-size: {match[2]}px"

    return _FONT.sub(font, _HEX.sub(lambda m: _BY_HEX[m[0]], svg))
