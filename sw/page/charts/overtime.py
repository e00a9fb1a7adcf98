"""Charts over the cycles of a run: who works when, and what lies where."""

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Rectangle

from sw.page.charts.drawing import (
    ADVANCE,
    COLOURS,
    Chart,
    Drawing,
    beside,
    both,
    fitted,
    number,
    percent,
    thousands,
)
from sw.page.facts import HOLDS, KINDS, Memory, Span, Timeline

MARGIN = 48  #: Pixels left of what is drawn.


def work(line: Timeline) -> Chart:
    """Draw the layers, and the share of the time in which array and lanes work."""
    busy = [int(each.sum()) / line.total for each in (line.array, line.lanes)]
    alt = (
        f"{line.total} cycles of {len({s.layer for s in line.spans})} layers: the array works in "
        f"{percent(busy[0])} of them, the lanes in {percent(busy[1])}"
    )

    def draw(width: float) -> Drawing:
        d = Drawing(width, 250)
        wide = width - MARGIN - 14
        band = d.axes(MARGIN, 2, wide, 62)
        band.set(xlim=(0, line.total), ylim=(0, 1))
        band.axis("off")
        tracks = (("array", line.array, busy[0]), ("lanes", line.lanes, busy[1]))
        shown = [d.axes(MARGIN, 70 + 72 * n, wide, 62) for n in range(len(tracks))]
        for span in line.spans:
            box = Rectangle(
                (span.begin, 0),
                span.cycles,
                1,
                facecolor=COLOURS[span.kind],
                edgecolor=COLOURS["paper"],
                linewidth=0.8,
            )
            band.add_patch(box)
            d.title(box, _told(span, line.total))
            _name(band, span, wide / line.total)
        for ax, (name, levels, share) in zip(shown, tracks, strict=True):
            edges, part = binned(levels, max(40, int(wide / 2.4)))
            ax.set(xlim=(0, line.total), ylim=(0, 1.02), yticks=())
            ax.stairs(part, edges, fill=True, color=COLOURS["binary"], alpha=0.85)
            for span in line.spans[1:]:
                ax.axvline(span.begin, color=COLOURS["rule"], linewidth=0.5)
            beside(ax, name, 0.62)
            beside(ax, percent(share, 0), 0.32, size=10, color=COLOURS["muted"])
            ax.tick_params(labelbottom=ax is shown[-1], bottom=ax is shown[-1])
        _cycles(shown[-1], d)
        return d

    return both("work", alt, draw)


def _told(span: Span, total: int) -> str:
    share = percent(span.cycles / total)
    return (
        f"{span.layer}: cycles {number(span.begin)} to {number(span.begin + span.cycles)}, "
        f"{number(span.cycles)} or {share} of the run; array {number(span.array)}, lanes "
        f"{number(span.lanes)}"
    )


def _name(ax, span: Span, pixels: float) -> None:
    """Write a layer's name into its box, along or upright, if there is room."""
    room = span.cycles * pixels
    short = span.layer.rsplit(".", 1)[-1]
    along = next((t for t in (span.layer, short) if len(t) * ADVANCE < room - 6), "")
    at = span.begin + span.cycles / 2
    if along:
        ax.text(at, 0.5, along, ha="center", va="center", color=COLOURS["paper"], size=10)
    elif room > 13:
        ax.text(
            at,
            0.5,
            fitted(short, 72),
            ha="center",
            va="center",
            rotation=90,
            size=9,
            color=COLOURS["paper"],
        )


def binned(levels: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return edges of so many parts of the run, or of its cycles if fewer, and each one's mean."""
    bins = min(bins, len(levels))
    edges = np.round(np.linspace(0, len(levels), bins + 1)).astype(int)
    sums = np.add.reduceat(levels.astype(np.int64), edges[:-1])
    return edges, sums / np.diff(edges)


def memory(memories: Sequence[Memory], total: int) -> Chart:
    """Draw each memory's addresses over the cycles, a box for each tensor."""
    rows = [m for m in memories if m.tenants]
    alt = "What lies in the memories over the run: " + "; ".join(
        f"{m.title} {len(m.tenants)} regions, {m.used} of {m.depth} words" for m in rows
    )

    def draw(width: float) -> Drawing:
        heights = [150 if m.name in ("row", "col") else 74 for m in rows]
        gap = 36
        d = Drawing(width, sum(heights) + gap * len(rows) + 34)
        wide, top = width - MARGIN - 14, gap - 4
        ax = None
        for m, height in zip(rows, heights, strict=True):
            ax = d.axes(MARGIN, top, wide, height)
            _address(d, ax, m, total, wide / total, height)
            ax.tick_params(labelbottom=m is rows[-1], bottom=m is rows[-1])
            top += height + gap
        if ax is not None:
            _cycles(ax, d)
        return d

    return both("memory", alt, draw)


def _address(d: Drawing, ax, m: Memory, total: int, pixels: float, height: float) -> None:
    top = m.depth if m.used > 0.4 * m.depth else min(m.depth, max(8, int(1.25 * m.used)))
    ax.set(
        xlim=(0, total), ylim=(0, top), yticks=sorted({0, m.used, *([m.depth] * (top == m.depth))})
    )
    if top == m.depth and m.depth - m.used < 0.13 * m.depth:
        ax.set_yticks((0, m.depth))
    thousands(ax.yaxis)
    ax.set_title(
        f"{m.title}: {number(m.used)} of {number(m.depth)} words"
        + ("" if d.narrow else f", {m.banks} × {m.width} bits"),
        loc="left",
        size=11,
        pad=10,
        x=-MARGIN / (d.width - MARGIN - 14),
    )
    for t in m.tenants:
        box = Rectangle(
            (t.begin, t.base),
            t.end - t.begin,
            t.size,
            facecolor=COLOURS[t.kind],
            edgecolor=COLOURS["paper"],
            linewidth=0.8,
            alpha=0.9,
        )
        ax.add_patch(box)
        d.title(
            box,
            f"{t.name}: {HOLDS[t.kind]}, words {number(t.base)} to "
            f"{number(t.base + t.size - 1)}, cycles {number(t.begin)} to "
            f"{number(t.end)}",
        )
        room, high = (t.end - t.begin) * pixels, t.size * height / top
        text = fitted(t.name.rsplit(".", 1)[-1], room - 8)
        if text and high > 11 and not text.startswith("…"):
            ax.text(
                (t.begin + t.end) / 2,
                t.base + t.size / 2,
                text,
                ha="center",
                va="center",
                color=COLOURS["paper"],
                size=10 if high > 13 else 8.5,
            )


def _cycles(ax, d: Drawing) -> None:
    thousands(ax.xaxis)
    ax.xaxis.get_major_locator().set_params(nbins=4 if d.narrow else 9, integer=True)
    ax.set_xlabel("cycles", labelpad=2)


def legend(kinds: Sequence[str], titles: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """Return name and meaning of each kind that is there, in the order of the tables."""
    titles = titles or (KINDS | HOLDS)
    return [(name, text) for name, text in titles.items() if name in kinds]
