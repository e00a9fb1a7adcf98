"""Charts of bars: resources, cycles against their bound, reads and writes, the link, logits."""

from collections.abc import Sequence

from sw.page.charts.drawing import (
    ADVANCE,
    COLOURS,
    Chart,
    Drawing,
    both,
    fitted,
    number,
    percent,
    readable,
    small,
)
from sw.page.facts import Access, Page, Sample, Span
from sw.page.traffic import MEMORIES

NEAR = 0.9  #: Share of a budget from which on it is nearly used up.


def resources(items: dict[str, dict], titles: dict[str, str]) -> Chart:
    """Draw what a design takes of each resource of its part."""
    rows = [
        (readable(titles.get(name, name), 40), item["used"], item["available"], item["share"])
        for name, item in items.items()
        if item["available"]
    ]
    alt = "Share of the budget: " + ", ".join(
        f"{title} {percent(share)}" for title, _, _, share in rows
    )

    def draw(width: float) -> Drawing:
        step = 46 if width < 600 else 34
        d = Drawing(width, step * len(rows) + 8)
        left = 0 if d.narrow else 16 + max(int(ADVANCE * len(row[0])) for row in rows)
        ax = d.axes(left, 0, width - left - 2, d.height)
        _bare(ax, len(rows), step, width - left - 2)
        for n, (title, used, limit, share) in enumerate(rows):
            y, most = n * step + (26 if d.narrow else 8), width - left - 2
            kind = "over" if share > 1 else "near" if share > NEAR else "good"
            ax.barh(y + 7, most, 14, color=COLOURS["track"])
            bar = ax.barh(y + 7, most * min(1, share), 14, color=COLOURS[kind])
            d.title(bar[0], f"{title}: {number(used)} of {number(limit)}, {percent(share)}")
            told = percent(share)
            if d.narrow:
                ax.text(0, y - 9, title, va="center")
                ax.text(
                    most,
                    y - 9,
                    f"{number(used)} of {number(limit)} · {told}",
                    ha="right",
                    va="center",
                    color=COLOURS["muted"],
                )
            else:
                ax.text(-10, y + 7, title, ha="right", va="center")
                at = most * min(1, share)
                inside = at > 330
                ax.text(
                    at - 8 if inside else at + 8,
                    y + 7,
                    f"{told} · {number(used)} of {number(limit)}",
                    ha="right" if inside else "left",
                    va="center",
                    color=COLOURS["paper" if inside else "ink"],
                )
        return d

    return both("resources", alt, draw)


def bound(spans: Sequence[Span]) -> Chart:
    """Draw each layer's cycles, and the least that the array at its peak would take."""
    rows = [s for s in spans if s.cycles]
    most = max(s.cycles for s in rows)
    alt = "Cycles of each layer, and of them those that the array needs at its peak: " + ", ".join(
        f"{s.layer} {s.cycles} of which {s.bound}" for s in rows
    )

    def draw(width: float) -> Drawing:
        step = 34 if width < 600 else 22
        d = Drawing(width, step * len(rows) + 6)
        left, right = (0, 70) if d.narrow else (230, 120)
        long = width - left - right
        ax = d.axes(left, 0, width - left, d.height)
        _bare(ax, len(rows), step, width - left)
        for n, s in enumerate(rows):
            y = n * step + (24 if d.narrow else 11)
            bar = ax.barh(y, max(1, long * s.cycles / most), 11, color=COLOURS[s.kind], alpha=0.35)
            d.title(bar[0], f"{s.layer}: {number(s.cycles)} cycles, bound {number(s.bound)}")
            if s.bound:
                bar = ax.barh(y, long * s.bound / most, 11, color=COLOURS[s.kind])
                d.title(bar[0], f"{s.layer}: {number(s.bound)} cycles at the array's peak")
            share = f"{percent(s.bound / s.cycles, 0)} · " if s.bound else ""
            ax.text(
                long * s.cycles / most + 6,
                y,
                f"{share}{number(s.cycles)}",
                va="center",
                color=COLOURS["muted"],
                size=10,
            )
            if d.narrow:
                ax.text(0, y - 13, fitted(s.layer, width - 4), va="center", size=10)
            else:
                ax.text(-8, y, fitted(s.layer, left - 10), ha="right", va="center")
        return d

    return both("bound", alt, draw)


def traffic(accesses: Sequence[Access]) -> Chart:
    """Draw reads, gated reads and writes of each memory."""
    sums = totals(accesses)
    rows = [(MEMORIES[name], *counts) for name, counts in sums.items()]
    most = max(max(reads + gated, writes) for _, reads, gated, writes in rows)
    alt = "Words moved: " + "; ".join(
        f"{title} {reads} read, {gated} gated, {writes} written"
        for title, reads, gated, writes in rows
    )

    def draw(width: float) -> Drawing:
        step = 58 if width < 600 else 44
        d = Drawing(width, step * len(rows) + 4)
        left = 0 if d.narrow else 150
        room = width - left - 150 if d.narrow else width - left - 230
        ax = d.axes(left, 0, width - left, d.height)
        _bare(ax, len(rows), step, width - left)
        for n, (title, reads, gated, writes) in enumerate(rows):
            y = n * step + (24 if d.narrow else 12)
            if d.narrow:
                ax.text(0, y - 14, title, va="center")
            else:
                ax.text(-10, y + 8, title, ha="right", va="center")
            taken, kept = room * reads / most, room * gated / most
            d.title(ax.barh(y, taken, 12, color=COLOURS["read"])[0], f"{title}: {reads} read")
            if gated:
                bar = ax.barh(y, kept, 12, left=taken, color=COLOURS["gated"])
                d.title(bar[0], f"{title}: {gated} reads gated, which would meet no spike")
            told = f"{number(reads)} read" + (f", {number(gated)} gated" if gated else "")
            ax.text(taken + kept + 6, y, told, va="center", size=10, color=COLOURS["muted"])
            long = room * writes / most
            d.title(
                ax.barh(y + 15, long, 12, color=COLOURS["written"])[0], f"{title}: {writes} written"
            )
            ax.text(
                long + 6,
                y + 15,
                f"{number(writes)} written",
                va="center",
                size=10,
                color=COLOURS["muted"],
            )
        return d

    return both("traffic", alt, draw)


def totals(accesses: Sequence[Access]) -> dict[str, tuple[int, int, int]]:
    """Return reads, gated reads and writes of each memory, of all layers."""
    out: dict[str, tuple[int, int, int]] = {}
    for memory in MEMORIES:
        mine = [a for a in accesses if a.memory == memory]
        if mine:
            out[memory] = (
                sum(a.reads for a in mine),
                sum(a.gated for a in mine),
                sum(a.writes for a in mine),
            )
    return out


def link(page: Page) -> Chart:
    """Draw three images on their way: each is sent while the one before is computed."""
    line, clock = page.report["cycles"]["link"], page.report["board"]["clock_hz"]
    send = 1e3 * line["bytes_per_image"] * 10 / line["baud"]
    core = 1e3 * page.report["cycles"]["total"] / clock
    alt = f"An image takes {send:.3f} ms on the link and {core:.3f} ms in the core"
    images = 3

    def draw(width: float) -> Drawing:
        d = Drawing(width, 112)
        left = 42
        ax = d.axes(left, 4, width - left - 12, 74)
        ax.set(ylim=(2.1, -0.1), yticks=(0.5, 1.5), yticklabels=("link", "core"))
        ax.tick_params(axis="y", labelcolor=COLOURS["ink"])
        ax.spines["left"].set_visible(False)
        free, most = 0.0, images * max(send, core) + min(send, core)
        for n in range(images):
            sent = (n + 1) * send
            begin = max(sent, free)
            free = begin + core
            for y, at, long, kind in ((0.5, n * send, send, "image"), (1.5, begin, core, "binary")):
                bar = ax.barh(y, long, 0.7, left=at, color=COLOURS[kind])
                what = "on the link" if y < 1 else "in the core"
                d.title(bar[0], f"image {n + 1} {what}: {at:.3f} to {at + long:.3f} ms")
                if long / most * (width - left) > 60:
                    ax.text(
                        at + long / 2,
                        y,
                        f"image {n + 1}",
                        ha="center",
                        va="center",
                        color=COLOURS["paper"],
                    )
        ax.set_xlim(0, max(most, free))
        ax.set_xlabel("ms", labelpad=1)
        return d

    return both("link", alt, draw)


def logits(sample: Sample) -> Chart:
    """Draw the logits of the image; of many classes the largest."""
    values = (sample.logits * sample.scale).tolist()
    order = sorted(range(len(values)), key=lambda n: -values[n])[:12]
    rows = sorted(order) if len(values) <= 12 else order
    alt = f"Logits: class {sample.prediction} has the largest, {max(values):.3f}"

    def draw(width: float) -> Drawing:
        step = 18
        d = Drawing(width, step * len(rows) + 4)
        low, high = min(0, *values), max(0, *values)
        scale = (width - 150) / ((high - low) or 1)
        ax = d.axes(60, 0, width - 60, d.height)
        _bare(ax, len(rows), step, width - 60)
        for n, c in enumerate(rows):
            y, at, mine = n * step + 9, -low * scale, c == sample.prediction
            ax.barh(y, values[c] * scale, 10, left=at, color=COLOURS["binary" if mine else "other"])
            ax.text(
                -8,
                y,
                f"class {c}",
                ha="right",
                va="center",
                color=COLOURS["ink" if mine else "muted"],
            )
            ax.text(
                (high - low) * scale + 6,
                y,
                f"{values[c]:.3f}",
                va="center",
                size=10,
                color=COLOURS["ink" if mine else "muted"],
            )
        return d

    return small("logits", alt, draw)


def _bare(ax, rows: int, step: float, width: float) -> None:
    """Axes without frame or ticks, in pixels, rows from above."""
    ax.set(xlim=(0, width), ylim=(rows * step + 4, 0))
    ax.axis("off")
