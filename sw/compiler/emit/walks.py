"""How a layer walks the words of an image: strides and fields of its inner loops."""

from dataclasses import dataclass

from hw.arch.isa import Pack, Taps
from sw.compiler.addresses import Stride
from sw.compiler.plan.layout import Layout, ceil_div


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The inner loops of an instruction that reads an image in row memory."""

    row: dict[str, Stride]  #: Strides of row addresses by level.
    base: int  #: First row address, from the tensor's.
    dx: Stride  #: Stride of column addresses over dx,
    dy: Stride  #: and over dy.
    words: int  #: Weight words of a column tile.
    fields: dict[str, int]  #: Fields of the instruction.


def choose_walk(source: Layout, width: int, size: int, *, stride: int, rows: int) -> Walk:
    """Walk of a ``size`` x ``size`` kernel over an image of ``width`` columns.

    Split columns are read with ``stride`` 2, or with pool 2.
    """
    if not source.half:
        return _plain(rows, source, width, size)
    return _stride(source, width, size) if stride == 2 else _pool(source, size)


def _plain(rows: int, source: Layout, width: int, size: int) -> Walk:
    """Fields and strides of a layer that reads columns side by side."""
    n_dx = {Pack.NONE: size, Pack.PAIR: 2, Pack.TRIPLE: 1}[source.pack]
    line = source.line or ceil_div(width, rows) * source.group
    three = size == 3
    row: dict[str, Stride] = {"dy": line, "y": line}
    return Walk(
        row=row,
        base=-line if three else 0,
        dx=source.words,
        dy=source.words * n_dx,
        words=source.words * n_dx * size,
        fields={
            "n_dx": n_dx,
            "n_dy": size,
            "pack": source.pack,
            "pad_y": int(three),
            "slot_bytes_log2": source.slot.bit_length() - 1 if source.pack else 0,
            "shift_left": int(three and source.pack == Pack.NONE),
        },
    )


def _stride(source: Layout, width: int, size: int) -> Walk:
    """Fields and strides of a layer of stride 2: odd, even, odd columns, or even ones."""
    three, words = size == 3, source.words
    row: dict[str, Stride] = {
        "dx": (-source.half, source.half),
        "dy": source.line,
        "y": 2 * source.line,
    }
    return Walk(
        row=row,
        base=source.half - source.line if three else 0,
        dx=words,
        dy=words * size,
        words=words * size * size,
        fields={
            "n_dx": size,
            "n_dy": size,
            "y_twice": 1,
            "pad_y": int(three),
            "shift_left": int(three),
            "taps": Taps.STRIDE if three else Taps.SIDE,
            "odd_w": width % 2 if three else 0,
        },
    )


def _pool(source: Layout, size: int) -> Walk:
    """Fields and strides of a layer with pool 2: every weight meets four words."""
    words, pad = source.words, size // 2
    row: dict[str, Stride] = {
        "dx": (source.half, -source.half),
        "dy": source.line,
        "y": 2 * source.line,
    }
    return Walk(
        row=row,
        base=-2 * pad * source.line,
        dx=(0, words),
        dy=(0, words * size),
        words=words * size * size,
        fields={
            "n_dx": 2 * size,
            "n_dy": 2 * size,
            "y_twice": 1,
            "pad_y": 2 * pad,
            "shift_left": pad,
            "taps": Taps.POOL,
        },
    )
