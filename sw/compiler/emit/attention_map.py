"""Attention maps as instructions."""

from collections.abc import Iterable

import numpy as np

from hw.arch.config import Config
from hw.arch.isa import Dest, Op, Step
from sw.compiler.emit.base import Emission
from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.plan.kind import Role
from sw.compiler.plan.layout import Layout, ceil_div, head_packed
from sw.compiler.plan.numbering import Numbering
from sw.compiler.records import Label
from sw.network import AttentionMap


class MapEmission(Emission[AttentionMap]):
    """One GEMM instruction; both operands are spikes."""

    layer = AttentionMap
    writes_image = False

    def roles(self, layer: AttentionMap, name: str) -> Iterable[Role]:
        qk = layer.order == "qk"
        if name == layer.left:
            yield (Dest.ROW if qk else Dest.COL_CHANNEL, layer.heads)
        if name == layer.right:
            yield (Dest.COL_TOKEN if qk else Dest.ROW_CHANNEL, layer.heads)

    def layout(
        self,
        layer: AttentionMap,
        config: Config,
        steps: int,
        shape: tuple[int, ...],
        numbering: Numbering,
    ) -> Layout | None:
        heads, side, _ = shape
        dest = Dest.ROW if layer.order == "qk" else Dest.COL_TOKEN
        return head_packed(config, steps, dest=dest, tokens=side, heads=heads, channels=side)

    def constants(self, constants: Constants, layer: AttentionMap) -> None:
        cols = constants.config.cols
        factor, bias = int(layer.affine.factor[0]), int(layer.affine.bias[0])
        if layer.similarity == "xnor":  # the array gives equal bits minus head width
            bias += factor * (constants.place.shape[layer.left][0] // layer.heads)
        constants.params[layer.name] = constants.parameters(
            np.full((1, cols), bias), np.full((1, 1, cols), factor)
        )

    def emit(self, m: Emitter, layer: AttentionMap, part: range | None = None) -> None:
        refuse_stream(m, layer.name)
        c, name = m.config, layer.neuron.name
        left, right, target = (m.place.layouts[n] for n in (layer.left, layer.right, name))
        channels, h, w = m.place.shape[layer.left]
        tokens, width = h * w, channels // layer.heads
        qk, xnor = layer.order == "qk", layer.similarity == "xnor"
        if xnor and not qk:
            raise m.place.fail(layer.name, "XNOR similarity exists in the QK order only")
        depth, side = (width, tokens) if qk else (tokens, width)
        m.count(depth, both_signs=xnor)
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


def refuse_stream(m: Emitter, layer: str) -> None:
    """Attention has no membranes that are kept from image to image."""
    if m.net.stream:
        raise m.place.fail(
            layer, "attention keeps no membranes in memory; run the network image by image"
        )
