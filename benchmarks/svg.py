"""A few shapes as SVG, for the figures of ``docs/architecture``; dark on white, so that they read
in a light page and in a dark one.
"""

from html import escape

#: Fill and line of each kind of box.
COLOURS = {
    "data": ("#f6f4ee", "#8a8372"),
    "one": ("#dbe8f5", "#3d6b99"),
    "two": ("#fbe3d2", "#b3541e"),
    "three": ("#dff0e0", "#3c7d43"),
    "none": ("#ffffff", "#c8c4ba"),
}
STYLE = """  <style>
    text { fill: #1b1b1b; text-anchor: middle; dominant-baseline: central; }
    .small { font-size: 11px; }
    .note { font-size: 12px; fill: #444; }
    .left { text-anchor: start; }
    .bold { font-weight: bold; }
    .arrow { fill: none; stroke: #333; stroke-width: 1.4; marker-end: url(#tip); }
  </style>
  <defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0 0 L10 5 L0 10 Z" fill="#333"/></marker></defs>"""


class Drawing:
    """A picture that grows by shapes; coordinates are pixels from the upper left corner."""

    def __init__(self, width: int, height: int, title: str):
        self._lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="13" role="img" aria-label="{escape(title)}">',
            STYLE,
            f'  <rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>',
        ]

    def text(self, x: float, y: float, text: object, kind: str = "") -> None:
        """Write a text around a point, or with ``left`` in its kind from it on."""
        self._lines.append(f'  <text class="{kind}" x="{x:g}" y="{y:g}">{escape(str(text))}</text>')

    def box(
        self, x: float, y: float, width: float, height: float, text: object = "", kind: str = "data"
    ) -> None:
        """Draw a box with a text in it."""
        fill, line = COLOURS[kind]
        self._lines.append(
            f'  <rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
            f'fill="{fill}" stroke="{line}"/>'
        )
        if text != "":
            self.text(x + width / 2, y + height / 2, text, "small")

    def arrow(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw an arrow from a point to another."""
        self._lines.append(f'  <path class="arrow" d="M{x0:g} {y0:g} L{x1:g} {y1:g}"/>')

    def __str__(self) -> str:
        """Return the whole file."""
        return "\n".join([*self._lines, "</svg>", ""])
