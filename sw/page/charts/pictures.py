"""Charts made of pixels: the image, rasters, attention maps, the confusion matrix; and rates."""

from collections.abc import Sequence

import numpy as np

from sw.page.charts.drawing import (
    COLOURS,
    SPIKE,
    Chart,
    Drawing,
    beside,
    both,
    fitted,
    number,
    percent,
    readable,
    small,
)
from sw.page.facts import Attention, Confusion, Sample, Spikes

LARGE = 420  #: Pixels that the maps of a layer are wide.
POINTS = 88  #: Rows, and columns, of a map that are drawn; more are put together.
PLACES, CHANNELS = 288, 128  #: Pixels of a raster, along and up; more are put together.
NUMBERED = 16  #: Classes up to which a confusion matrix has its counts in its cells.


def tinted(share: np.ndarray, colour: tuple[int, int, int] = SPIKE) -> np.ndarray:
    """Return a picture of one colour that is as opaque as ``share``, uint8 (..., 4)."""
    out = np.empty((*share.shape, 4), np.uint8)
    out[..., :3] = colour
    out[..., 3] = np.round(255 * np.clip(share, 0, 1))
    return out


def pooled(values: np.ndarray, most: int, axis: int) -> tuple[np.ndarray, int]:
    """Return means of so many neighbours that at most ``most`` are left, and how many those are."""
    size = values.shape[axis]
    each = -(-size // most)
    if each == 1:
        return values.astype(np.float64), 1
    starts = np.arange(0, size, each)
    sums = np.add.reduceat(values.astype(np.float64), starts, axis=axis)
    counts = np.diff([*starts, size])
    return sums / counts.reshape(
        [-1 if n == axis % values.ndim else 1 for n in range(values.ndim)]
    ), each


def picture(pixels: np.ndarray) -> np.ndarray:
    """Return an image, uint8 (..., C, H, W), as gray or colours: frames are added up."""
    frames = pixels.reshape(-1, *pixels.shape[-3:])
    image = frames.max(axis=0) if len(frames) > 1 else frames[0]
    if len(image) == 3:
        return np.moveaxis(image, 0, -1)
    return np.repeat(image.max(axis=0)[..., None], 3, axis=-1)


def image(sample: Sample) -> Chart:
    """Draw the image that ran."""
    shown = picture(sample.pixels)

    def draw(width: float) -> Drawing:
        side = min(220, width)
        height, across = shown.shape[:2]
        scale = side / max(height, across)
        d = Drawing(across * scale, height * scale)
        ax = d.axes(0, 0, d.width, d.height)
        ax.imshow(shown, interpolation="none", aspect="auto")
        ax.axis("off")
        return d

    return small("image", f"The image {sample.name}", draw)


def raster(spikes: Spikes, n: int) -> Chart:
    """Draw the spikes of a tensor: channels up, the tokens of step after step along."""
    steps, channels, tokens = spikes.bits.shape
    alt = (
        f"Spikes of {spikes.name}: {channels} channels, {tokens} tokens, {steps} steps; "
        f"{sum(spikes.counts)} spikes"
    )

    def draw(width: float) -> Drawing:
        part, _ = pooled(spikes.bits, max(1, PLACES // steps), 2)
        part, _ = pooled(part, CHANNELS, 1)
        shown = np.concatenate(list(part), axis=1)
        if part.max(initial=0) < 1:  # where many are put together, few fire at once
            shown = np.sqrt(shown)
        height = float(np.clip(2.2 * channels, 70, 150))
        d = Drawing(width, height + 34)
        ax = d.axes(34, 4, width - 36, height)
        ax.imshow(
            tinted(shown), interpolation="none", aspect="auto", extent=(0, steps, channels, 0)
        )
        for step in range(1, steps):
            ax.axvline(step, color=COLOURS["muted"], linewidth=0.8)
        for side in ("top", "right"):
            ax.spines[side].set_visible(True)
        ax.set(yticks=(0.5, channels - 0.5), yticklabels=("0", str(channels - 1)))
        if channels == 1:
            ax.set(yticks=(0.5,), yticklabels=("0",))
        every = max(1, -(-steps // 8))
        ax.set_xticks([s + 0.5 for s in range(0, steps, every)])
        ax.set_xticklabels([f"step {s}" if steps <= 4 else str(s) for s in range(0, steps, every)])
        ax.tick_params(axis="x", length=0)
        ax.annotate(
            "channel",
            (0, 0.5),
            xycoords="axes fraction",
            xytext=(-24, 0),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="center",
            size=10,
            color=COLOURS["muted"],
        )
        return d

    return small(f"raster-{n}", alt, draw)


def rates(spikes: Sequence[Spikes]) -> Chart:
    """Draw the share of neurons that fire, by tensor and step."""
    most = max((rate for s in spikes for rate in s.rates), default=0) or 1
    alt = "Share of neurons that fire, step by step: " + "; ".join(
        f"{s.name} {', '.join(map(percent, s.rates))}" for s in spikes
    )

    def draw(width: float) -> Drawing:
        step = 34 if width < 600 else 22
        d = Drawing(width, step * len(spikes) + 44)
        left = 4 if d.narrow else 230
        ax = d.axes(left, 2, width - left - 14, step * len(spikes))
        ax.set(xlim=(0, 108 * most), ylim=(step * len(spikes), 0), yticks=())
        ax.spines["left"].set_visible(False)
        for n, s in enumerate(spikes):
            y = n * step + (24 if d.narrow else 11)
            values = [100 * r for r in s.rates]
            ax.plot((0, 108 * most), (y, y), color=COLOURS["track"], linewidth=1, zorder=0)
            ax.plot((min(values), max(values)), (y, y), color=COLOURS["spikes"], linewidth=2)
            for t, value in enumerate(values):
                (dot,) = ax.plot(
                    value,
                    y,
                    "o",
                    color=COLOURS["spikes"],
                    markersize=6.5,
                    alpha=_fade(t, len(values)),
                    markeredgecolor=COLOURS["paper"],
                )
                d.title(
                    dot,
                    f"{s.name}, step {t}: {number(s.counts[t])} spikes, {percent(s.rates[t], 2)}",
                )
            if d.narrow:
                ax.text(0, y - 13, fitted(s.name, width - 20), va="center", size=10)
            else:
                beside(ax, fitted(s.name, left - 10), 1 - y / (step * len(spikes)), gap=8)
        ax.set_xlabel("% of neurons that fire; a dot a step, the first the palest", labelpad=2)
        return d

    return both("rates", alt, draw)


def _fade(step: int, steps: int) -> float:
    return 1.0 if steps == 1 else 0.35 + 0.65 * step / (steps - 1)


def maps(attention: Attention, sample: Sample, n: int) -> Chart:
    """Draw the maps of each head, step by step, and where tokens look at in the image."""
    steps, heads, rows, columns = attention.maps.shape
    alt = (
        f"Attention maps of {attention.layer}: {heads} heads, {steps} steps, {rows} x {columns}, "
        f"{percent(float(attention.maps.mean()))} ones"
    )
    looked = received(attention)

    def draw(width: float) -> Drawing:
        margin, gap = 44, 6
        across = min(heads, 4)
        side = min(87.0, (width - margin - gap * across) / across)
        shown = min(steps, 8)
        lines = -(-heads // across)
        each = (looked is not None) + shown
        d = Drawing(margin + across * (side + gap) + 1, lines * (each * (side + gap) + 22) + 2)
        for head in range(heads):
            line, at = divmod(head, across)
            left, top = margin + at * (side + gap), line * (each * (side + gap) + 22)
            d.figure.text(
                (left + side / 2) / d.width,
                1 - (top + 9) / d.height,
                f"head {head}",
                ha="center",
                va="center",
                color=COLOURS["muted"],
                size=10,
            )
            top += 20
            if looked is not None:
                ax = _frame(d, left, top, side)
                ax.imshow(
                    picture(sample.pixels),
                    interpolation="none",
                    aspect="auto",
                    extent=(0, 1, 1, 0),
                    alpha=0.55,
                )
                heat = looked[head] / (looked.max() or 1)
                ax.imshow(
                    tinted(0.85 * heat, (255, 140, 0)),
                    interpolation="none",
                    aspect="auto",
                    extent=(0, 1, 1, 0),
                )
                _side(d, "looked\nat", at, top, side)
                top += side + gap
            for step in range(shown):
                ax = _frame(d, left, top, side)
                part, _ = pooled(attention.maps[step, head], POINTS, 0)
                part, _ = pooled(part, POINTS, 1)
                ax.imshow(tinted(part), interpolation="none", aspect="auto", extent=(0, 1, 1, 0))
                _side(d, f"step {step}", at, top, side)
                top += side + gap
        return d

    return small(f"map-{n}", alt, draw, LARGE)


def received(attention: Attention) -> np.ndarray | None:
    """Return how often each key is looked at, (H, *grid), over steps and queries."""
    if not attention.grid:
        return None
    return attention.maps.mean(axis=(0, 2)).reshape(-1, *attention.grid)


def _frame(d: Drawing, left: float, top: float, side: float):
    ax = d.axes(left, top, side, side)
    ax.set(xticks=(), yticks=())
    for spine in ax.spines.values():
        spine.set_visible(True)
    return ax


def _side(d: Drawing, text: str, column: int, top: float, side: float) -> None:
    if column == 0:
        d.figure.text(
            38 / d.width,
            1 - (top + side / 2) / d.height,
            text,
            ha="right",
            va="center",
            color=COLOURS["muted"],
            size=10,
        )


def matrix(confusion: Confusion) -> Chart:
    """Draw a confusion matrix: shares of each label's images."""
    counts = confusion.counts
    classes = len(counts)
    share = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    alt = f"Confusion matrix: {confusion.right} of {confusion.images} right"

    def draw(width: float) -> Drawing:
        side = min(width - 40, 46.0 * classes, 520)
        d = Drawing(side + 38, side + 36)
        ax = d.axes(36, 2, side, side)
        ax.imshow(
            tinted(np.where(np.eye(classes, dtype=bool), 0.85 * share, 0)),
            interpolation="none",
            extent=(-0.5, classes - 0.5, classes - 0.5, -0.5),
        )
        wrong = np.where(np.eye(classes, dtype=bool), 0, share)
        wrong = np.where(wrong > 0, 0.25 + 0.75 * np.sqrt(wrong), 0)
        ax.imshow(
            tinted(wrong, (232, 93, 58)),
            interpolation="none",
            extent=(-0.5, classes - 0.5, classes - 0.5, -0.5),
        )
        for spine in ax.spines.values():
            spine.set_visible(True)
        ax.set(xlabel="answered", ylabel="label")
        if classes <= NUMBERED:
            ax.set(xticks=range(classes), yticks=range(classes))
            size = 10 if side / classes > 34 else 8.5
            for label, answer in np.argwhere(counts):
                ax.text(
                    answer,
                    label,
                    number(int(counts[label, answer])),
                    ha="center",
                    va="center",
                    size=size,
                )
        ax.xaxis.labelpad = ax.yaxis.labelpad = 2
        return d

    return both("confusion", readable(alt), draw)
