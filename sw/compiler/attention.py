"""Attention as instructions."""

from hw.arch.isa import Op, Step
from sw.compiler.emitter import Emitter
from sw.compiler.layout import ceil_div
from sw.compiler.program import Label
from sw.network import AttentionApply, AttentionMap


def _no_stream(m: Emitter, layer: AttentionMap | AttentionApply) -> None:
    if m.net.stream:
        raise m.place.fail(
            layer.name, "attention keeps no membranes in memory; run the network image by image"
        )


def emit_map(m: Emitter, layer: AttentionMap) -> None:
    """Attention map: both operands are spikes."""
    _no_stream(m, layer)
    c, name = m.config, layer.neuron.name
    left, right, target = (m.place.layouts[n] for n in (layer.left, layer.right, name))
    channels, h, w = m.place.shape[layer.left]
    tokens, width = h * w, channels // layer.heads
    qk, xnor = layer.order == "qk", layer.similarity == "xnor"
    if xnor and not qk:
        raise m.place.fail(layer.name, "XNOR similarity exists in the QK order only")
    depth, side = (width, tokens) if qk else (tokens, width)
    m.count(depth)
    tiles = ceil_div(side, c.cols)
    if qk:  # rows: queries; columns: keys
        rows, cols = layer.left, layer.right
        row = {"k": 1, "t": left.words, "x": left.group, "h": left.head_words}
        col = {"k": 1, "t": right.words, "j": right.group, "h": right.head_words}
        n_k, row_gs = left.head_words, left.group
    else:  # rows: v channels; columns: k channels; the result is S transposed
        rows, cols = layer.right, layer.left
        across = ceil_div(width, c.cols) * c.cols // c.rows
        row = {"k": 1, "t": right.words, "x": right.group, "h": across * right.group}
        col = {"k": 1, "t": left.words, "j": left.group, "h": tiles * left.group}
        n_k, row_gs = right.words, right.group
    params, lane = m.constants.params[layer.name], m.neuron(layer)
    m.emit(
        Op.GEMM,
        Label(
            layer=layer.name,
            op=Op.GEMM.name,
            tensor=name,
            kind="map",
            shape=m.place.shape[name],
            head_width=side,
            transposed=not qk,
        ),
        row=row,
        col=col,
        row_base=m.place.base[rows],
        col_base=m.place.base[cols],
        n_k=n_k,
        n_dx=1,
        n_dy=1,
        n_t=m.steps,
        n_x=ceil_div(side, c.rows),
        n_y=1,
        n_j=tiles,
        n_h=layer.heads,
        xnor=int(xnor),
        rowpop=int(xnor),
        flat=1,
        n_step=Step.ROWS,
        n_par=2,
        par_base=params,
        par_j=0,
        par_h=0,
        tile_min=m.tile_min(c.rows, lane),
        img_w=side,
        img_h=1,
        row_gs=row_gs,
        lanes=m.last_lanes(side),
        **target.write_fields(c, m.place.base[name], side),
        **lane,
    )
    m.ops.append((layer.name, layer.heads * side * side * depth * m.steps))


def emit_apply(m: Emitter, layer: AttentionApply) -> None:
    """Map times the third operand."""
    _no_stream(m, layer)
    c, name = m.config, layer.neuron.name
    source, bits, target = (m.place.layouts[n] for n in (layer.source, layer.map, name))
    channels, h, w = m.place.shape[name]
    tokens, width = h * w, channels // layer.heads
    qk = layer.order == "qk"
    depth = tokens if qk else width
    m.count(depth)
    if not target.flat:
        raise m.place.fail(layer.name, "the output of attention must feed 1x1 layers")
    made = m.net.layers[m.place.uses.maker[layer.map]]
    if not isinstance(made, AttentionMap) or made.order != layer.order:
        raise m.place.fail(layer.name, f"{layer.map!r} is no map of order {layer.order}")
    tiles = ceil_div(width, c.cols)
    left, right = (bits, source) if qk else (source, bits)
    rows, cols = (layer.map, layer.source) if qk else (layer.source, layer.map)
    row = {"k": 1, "t": left.words, "x": left.group, "h": left.head_words}
    col = {
        "k": 1,
        "t": right.words,
        "j": right.group,
        "h": tiles * right.group if qk else right.head_words,
    }
    params, lane = m.constants.params[layer.name], m.neuron(layer)
    m.emit(
        Op.GEMM,
        Label(
            layer=layer.name,
            op=Op.GEMM.name,
            tensor=name,
            kind="spikes",
            shape=m.place.shape[name],
            head_width=width,
        ),
        row=row,
        col=col,
        row_base=m.place.base[rows],
        col_base=m.place.base[cols],
        n_k=left.head_words,
        n_dx=1,
        n_dy=1,
        n_t=m.steps,
        n_x=ceil_div(tokens, c.rows),
        n_y=1,
        n_j=tiles,
        n_h=layer.heads,
        flat=1,
        n_step=Step.ROWS,
        n_par=1 + m.steps,
        factor_per_step=1,
        par_base=params,
        par_j=0,
        par_h=1 + m.steps,
        tile_min=m.tile_min(c.rows, lane),
        img_w=tokens,
        img_h=1,
        row_gs=left.group,
        lanes=m.last_lanes(width),
        **target.write_fields(c, m.place.base[name], tokens),
        **lane,
    )
    m.ops.append((layer.name, channels * tokens * depth * m.steps))
