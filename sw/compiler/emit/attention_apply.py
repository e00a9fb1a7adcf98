"""Attention maps times the third operand as instructions."""

from collections.abc import Iterable

import numpy as np

from hw.arch.config import Config
from hw.arch.isa import Dest, Op, Step
from sw.compiler.emit.attention_map import refuse_stream
from sw.compiler.emit.base import Emission
from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.plan.kind import Role
from sw.compiler.plan.layout import Layout, ceil_div, channel_packed
from sw.compiler.plan.numbering import Numbering
from sw.compiler.records import Label
from sw.network import AttentionApply, AttentionMap


class ApplyEmission(Emission[AttentionApply]):
    """One GEMM instruction; one of its operands is a map."""

    layer = AttentionApply

    def roles(self, layer: AttentionApply, name: str) -> Iterable[Role]:
        if name == layer.source:  # a map is where its own layer puts it
            yield (Dest.COL_CHANNEL if layer.order == "qk" else Dest.ROW, layer.heads)

    def layout(
        self,
        layer: AttentionApply,
        config: Config,
        steps: int,
        shape: tuple[int, ...],
        numbering: Numbering,
    ) -> Layout | None:
        channels, height, columns = shape
        width = channels // layer.heads
        padded = ceil_div(width, config.cols) * config.cols
        return channel_packed(
            config,
            steps,
            channels=channels,
            height=height,
            width=columns,
            flat=numbering == Numbering.FLAT,
            split=numbering == Numbering.PAIR,
            position=(np.arange(layer.heads)[:, None] * padded + np.arange(width)).ravel(),
            bits=layer.heads * padded,
        )

    def constants(self, constants: Constants, layer: AttentionApply) -> None:
        cols = constants.config.cols
        if (layer.affine.bias != layer.affine.bias[:1]).any():
            raise constants.place.fail(layer.name, "bias must be the same at every step")
        constants.params[layer.name] = constants.parameters(
            np.repeat(layer.affine.bias[0][:, None], cols, axis=1),
            np.repeat(layer.affine.factor.T[:, :, None], cols, axis=2),
        )

    def emit(self, m: Emitter, layer: AttentionApply, part: range | None = None) -> None:
        refuse_stream(m, layer.name)
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
