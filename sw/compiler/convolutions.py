"""Convolutions and spike pools as instructions."""

import math

from hw.arch.isa import CENTRES, Dest, Keep, Op, Pack, Step, Taps
from hw.arch.timing import STATE_GAP
from sw.compiler.addresses import Stride
from sw.compiler.emitter import Emitter
from sw.compiler.layout import Layout, ceil_div
from sw.compiler.program import Label
from sw.compiler.uses import written
from sw.network import BinaryLayer, PixelConv, SpikePool

IMAGES = (Dest.ROW, Dest.ROW_TAPS)


def emit_pixel(m: Emitter, layer: PixelConv) -> None:
    """First convolution: one tile per output pixel."""
    c, place, name = m.config, m.place, layer.neuron.name
    out, channels, kh, kw = layer.weight.shape
    _, h, w = place.shape[name]
    line, pad, stride = m.net.width, layer.padding, layer.stride
    centre = layer.centre[:CENTRES]  # check_network has seen to the others
    lane, target = m.neuron(layer), m.written(layer, w)
    leak = bool(lane.get("leak"))
    # what is kept has an address per step that only the loop over steps gives
    per_step = m.net.per_step_input or target["keep"] != Keep.NONE or (leak and m.steps == 1)
    frame = channels * m.net.height * line if m.net.per_step_input else 0
    shown = 1 if per_step else m.steps
    m.emit(
        Op.MAC,
        Label(
            layer=layer.name,
            op=Op.MAC.name,
            kind="spikes",
            shape=place.shape[name],
            **m.tensors(layer),
        ),
        row={
            "k": m.net.height * line,
            "dx": 1,
            "dy": line,
            "t": frame,
            "x": stride,
            "y": stride * line,
        },
        col={"k": 1, "dx": channels, "dy": channels * kw, "j": channels * kw * kh},
        row_base=-pad * (line + 1),
        col_base=m.constants.weights[layer.name],
        n_k=channels,
        n_dx=kw,
        n_dy=kh,
        n_t=m.steps if per_step else 1,
        n_x=w,
        n_y=h,
        n_j=ceil_div(out, c.cols),
        n_h=1,
        img_w=line,
        img_h=m.net.height,
        x_twice=int(stride == 2),
        y_twice=int(stride == 2),
        shift_left=pad,
        pad_y=pad,
        spread=int(not per_step),
        n_spread=shown - 1,
        tile_min=max(2, shown * (STATE_GAP if leak else 1)),
        n_step=Step.ONE,
        n_par=2,
        par_base=m.constants.params[layer.name],
        par_j=2,
        par_h=2,
        pix_shift=layer.pixel_shift,
        lanes=m.last_lanes(out),
        **{f"centre{k}": v for k, v in enumerate(centre)},
        **target,
        **lane,
    )


def _plain_walk(m: Emitter, source: Layout, width: int, size: int) -> dict:
    """Fields and strides of a layer that reads columns side by side."""
    n_dx = {Pack.NONE: size, Pack.PAIR: 2, Pack.TRIPLE: 1}[source.pack]
    line = source.line or ceil_div(width, m.config.rows) * source.group
    three = size == 3
    row: dict[str, Stride] = {"dy": line, "y": line}
    return {
        "row": row,
        "base": -line if three else 0,
        "dx": source.words,
        "dy": source.words * n_dx,
        "words": source.words * n_dx * size,
        "fields": {
            "n_dx": n_dx,
            "n_dy": size,
            "pack": source.pack,
            "pad_y": int(three),
            "slot_bytes_log2": source.slot.bit_length() - 1 if source.pack else 0,
            "shift_left": int(three and source.pack == Pack.NONE),
        },
    }


def _stride_walk(source: Layout, width: int, size: int) -> dict:
    """Fields and strides of a layer of stride 2: odd, even, odd columns, or even ones."""
    three, words = size == 3, source.words
    row: dict[str, Stride] = {
        "dx": (-source.half, source.half),
        "dy": source.line,
        "y": 2 * source.line,
    }
    return {
        "row": row,
        "base": source.half - source.line if three else 0,
        "dx": words,
        "dy": words * size,
        "words": words * size * size,
        "fields": {
            "n_dx": size,
            "n_dy": size,
            "y_twice": 1,
            "pad_y": int(three),
            "shift_left": int(three),
            "taps": Taps.STRIDE if three else Taps.SIDE,
            "odd_w": width % 2 if three else 0,
        },
    }


def _pool_walk(source: Layout, size: int) -> dict:
    """Fields and strides of a layer with pool 2: every weight meets four words."""
    words, pad = source.words, size // 2
    row: dict[str, Stride] = {
        "dx": (source.half, -source.half),
        "dy": source.line,
        "y": 2 * source.line,
    }
    return {
        "row": row,
        "base": -2 * pad * source.line,
        "dx": (0, words),
        "dy": (0, words * size),
        "words": words * size * size,
        "fields": {
            "n_dx": 2 * size,
            "n_dy": 2 * size,
            "y_twice": 1,
            "pad_y": 2 * pad,
            "shift_left": pad,
            "taps": Taps.POOL,
        },
    }


def emit_binary(m: Emitter, layer: BinaryLayer, part: range | None = None) -> None:
    """Binary convolution on the array.

    ``part``: column tiles, from a multiple of those in a word; else all. Not with heads.
    """
    c, place, source = m.config, m.place, m.place.layouts[layer.source]
    _, h, w = place.shape[layer.source]
    out, channels, size, _ = layer.weight.shape
    if source.dest not in IMAGES or source.head_words:
        raise place.fail(layer.name, f"cannot read {layer.source!r}: attention reads it too")
    depth = channels * size * size * layer.pool**2
    m.count(depth)
    shape = place.shape[next(iter(written(layer)))]
    _, oh, ow = shape
    target = m.written(layer, ow)
    if source.flat:
        h, w = 1, h * w
        oh, ow = h, w
    elif target.get("dest") in (Dest.COL_TOKEN, Dest.COL_CHANNEL, Dest.ROW_CHANNEL) and oh > 1:
        raise place.fail(layer.name, "attention operands must come from flat tokens")
    if not source.half:
        walk = _plain_walk(m, source, w, size)
    elif layer.stride == 2:
        walk = _stride_walk(source, w, size)
    else:
        walk = _pool_walk(source, size)
    heads, tiles, _ = m.constants.tile_channels(layer).shape
    part = part or range(tiles)
    first = part.start
    if "w_base" in target:
        target["w_base"] += first // target["slots"] * target["w_j"]
    if "st_base" in target:
        target["st_base"] += first * target["res_j"]
    lane = m.neuron(layer)
    m.emit(
        Op.GEMM,
        Label(
            layer=layer.name,
            op=Op.GEMM.name,
            kind="spikes",
            shape=shape,
            head_width=out // heads if heads > 1 else 0,
            first=first * c.cols,
            **m.tensors(layer),
        ),
        row={"k": 1, "t": source.words, "x": source.group, **walk["row"]},
        col={
            "k": 1,
            "dx": walk["dx"],
            "dy": walk["dy"],
            "j": walk["words"],
            "h": walk["words"] * tiles,
        },
        row_base=place.base[layer.source] + walk["base"],
        col_base=m.constants.weights[layer.name] + first * walk["words"],
        n_k=source.words,
        n_t=m.steps,
        n_x=ceil_div(ow, c.rows),
        n_y=oh,
        n_j=len(part),
        n_h=heads,
        n_step=Step.ROWS,
        n_par=2,
        par_base=m.constants.params[layer.name] + 2 * first,
        par_j=2,
        par_h=2,
        tile_min=m.tile_min(c.rows, lane),
        img_w=ow,
        img_h=h // layer.pool * layer.pool,
        row_gs=source.group,
        double=1,
        rowpop=1,
        lanes=m.last_lanes(out // heads) if part.stop == tiles else c.cols,
        **walk["fields"],
        **target,
        **lane,
        **_shortcut(m, layer, first),
    )
    if not first:
        m.ops.append((layer.name, depth * math.prod(shape) * m.steps))


def _shortcut(m: Emitter, layer: BinaryLayer, first: int) -> dict[str, int]:
    """Fields of a shortcut, from column tile ``first`` on, which begins a word."""
    if layer.shortcut is None:
        return {}
    name = layer.shortcut.source
    layout = m.place.layouts[name]
    assert layout.line and not layout.half and layout.position is None  # seen to by now
    return {
        "shortcut": 1,
        "sc_base": m.place.base[name] + first * m.config.cols // m.config.width,
        "sc_gs": layout.group,
        "sc_t": layout.words,
        "sc_byte": layout.slot if layout.pack else 0,
        "sc_value": layer.shortcut.value,
    }


def emit_pool(m: Emitter, layer: SpikePool) -> None:
    """3x3 maximum at stride 2."""
    c, place, layouts = m.config, m.place, m.place.layouts
    source, target = layouts[layer.source], layouts[layer.name]
    _, h, w = place.shape[layer.source]
    if target.half:
        raise place.fail(
            layer.name,
            "a pool cannot feed layers of stride 2 or with pool 2; put a layer between them",
        )
    if source.flat or source.pack or source.dest != Dest.ROW or target.flat:
        raise place.fail(layer.name, "a pool can stand between image layouts only")
    write = target.write_fields(c, place.base[layer.name], place.shape[layer.name][2])
    m.emit(
        Op.POOL,
        Label(
            layer=layer.name,
            op=Op.POOL.name,
            tensor=layer.name,
            kind="spikes",
            shape=place.shape[layer.name],
        ),
        row={"dy": source.line, "t": source.words, "x": source.group, "y": 2 * source.line, "j": 1},
        col={},
        row_base=place.base[layer.source] - source.line,
        n_k=1,
        n_dx=2,
        n_dy=3,
        n_t=m.steps,
        n_x=ceil_div(w, c.rows),
        n_y=ceil_div(h, 2),
        n_j=source.words,
        n_h=1,
        img_w=w,
        img_h=h,
        shift_left=1,
        pad_y=1,
        y_twice=1,
        n_step=Step.HALF,
        tile_min=max(6, c.rows),
        row_gs=source.group,
        lanes=c.cols,
        **write | {"slots": 1},
    )
