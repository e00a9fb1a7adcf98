"""Means and heads as instructions."""

from hw.arch import formats
from hw.arch.isa import BY_NAME, Dest, Op, Step
from sw.compiler.addresses import Stride
from sw.compiler.emitter import Emitter
from sw.compiler.layout import ceil_div
from sw.compiler.program import Label
from sw.network import Head, Mean


def emit_mean(m: Emitter, run: dict[int, Mean], part: range | None = None) -> None:
    """Means of buffers A and B: one sum for each column tile, or for each of its tokens.

    ``part``: column tiles; else all. Of buffer A alone.
    """
    c, residuals, rows = m.config, m.place.residuals, m.config.rows
    first = run[min(run)]
    source = first.source
    channels, h, w = m.place.shape[source]
    tiles, groups = ceil_div(channels, c.cols), residuals.numbers.groups[source]
    across = tiles * c.cols
    part = part or range(tiles)
    row: dict[str, Stride] = {"dx": rows, "j": m.steps * groups * rows}
    if first.over_tokens:
        row |= {"k": 1, "dy": m.steps * rows}
        walk = {
            "n_k": rows,
            "n_dy": ceil_div(h * w, rows),
            "n_t": 1,
            "n_y": 1,
            "mean_mask": h * w % rows,
        }
        pitch = 0
        if walk["n_dy"] > BY_NAME["n_dy"].most and not walk["mean_mask"]:  # one after the other
            walk |= {"n_k": rows * groups * m.steps, "n_dx": 1, "n_dy": 1}
    else:  # t walks the R tokens of a group, y the groups
        row |= {"t": 1, "y": m.steps * rows}
        walk = {
            "n_k": 1,
            "n_dy": 1,
            "n_t": rows,
            "n_y": groups,
            "w_t": across,
            "w_gs": rows * across,
        }
        pitch = residuals.numbering(source).pitch(w, rows)
    base = m.place.feature_base + min(
        residuals.features[mean.name][0] - buffer * across for buffer, mean in run.items()
    )
    m.emit(
        Op.MEAN,
        Label(
            layer=" + ".join(run[b].name for b in sorted(run)),
            op=Op.MEAN.name,
            tensor=",".join(run[b].name if b in run else "" for b in range(max(run) + 1)),
            kind="values",
            shape=(channels, h, w) if pitch else (channels,),
            head_width=channels,
            pitch=pitch,
            first=part.start * c.cols,
        ),
        row=row,
        col={},
        **{"n_dx": m.steps} | walk,
        n_x=1,
        n_j=len(part),
        n_h=max(run) + 1,
        tile_min=c.cols,
        n_step=Step.ROWS,
        img_w=1,
        img_h=1,
        n_par=2,
        par_base=m.constants.params[run[max(run)].name],
        par_j=0,
        par_h=2,
        dest=Dest.PIX,
        w_base=base + part.start * c.cols,
        w_j=c.cols,
        slots=1,
        lanes=m.last_lanes(channels) if part.stop == tiles else c.cols,
        shift=formats.SHIFTS.index(first.shift),
    )


def emit_head(m: Emitter, layer: Head) -> None:
    """The last linear layer."""
    c, place, classes = m.config, m.place, len(layer.weight)
    features = place.residuals.feature_count
    m.emit(
        Op.MAC,
        Label(layer=layer.name, op=Op.MAC.name, tensor=layer.name, kind="values", shape=(classes,)),
        row={"k": 1},
        col={"k": 1, "j": features},
        row_base=place.feature_base,
        col_base=m.constants.weights[layer.name],
        n_k=features,
        n_dx=1,
        n_dy=1,
        n_t=1,
        n_x=1,
        n_y=1,
        n_j=ceil_div(classes, c.cols),
        n_h=1,
        img_w=1,
        img_h=1,
        tile_min=c.cols,
        n_step=Step.ONE,
        n_par=2,
        par_base=m.constants.params[layer.name],
        par_j=2,
        par_h=2,
        dest=Dest.PIX,
        w_base=place.logits_base,
        w_j=c.cols,
        slots=1,
        lanes=m.last_lanes(classes),
        **m.neuron(layer),
    )
