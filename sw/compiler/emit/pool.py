"""3x3 pools of spikes as instructions."""

from collections.abc import Iterable

from hw.arch.isa import Dest, Op, Step
from sw.compiler.emit.base import Emission
from sw.compiler.emit.emitter import Emitter
from sw.compiler.plan.layout import ceil_div
from sw.compiler.plan.numbering import Numbering
from sw.compiler.records import Label
from sw.network import SpikePool


class PoolEmission(Emission[SpikePool]):
    """One POOL instruction, or none where write-back pools what another layer writes."""

    layer = SpikePool
    windows = True

    def wants(self, layer: SpikePool, name: str) -> Iterable[Numbering]:
        return (Numbering.GRID,)

    def emit(self, m: Emitter, layer: SpikePool, part: range | None = None) -> None:
        c, place, layouts = m.config, m.place, m.place.layouts
        target, fused = layouts[layer.name], place.fusions.include(layer)
        _, h, w = place.shape[layer.source]
        if target.half:
            raise place.fail(
                layer.name,
                "a pool cannot feed layers of stride 2 or with pool 2; put a layer between them",
            )
        source = None if fused else layouts[layer.source]
        image = source is None or not (source.flat or source.pack or source.dest != Dest.ROW)
        if target.flat or not image:
            raise place.fail(layer.name, "a pool can stand between image layouts only")
        if source is None:
            return
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
            row={
                "dy": source.line,
                "t": source.words,
                "x": source.group,
                "y": 2 * source.line,
                "j": 1,
            },
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
