"""Means as instructions."""

import numpy as np

from hw.arch import formats
from hw.arch.isa import BY_NAME, Dest, Op, Step
from sw.compiler.addresses import Stride
from sw.compiler.emit.base import Emission
from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.plan.layout import ceil_div
from sw.compiler.plan.residuals import Residuals
from sw.compiler.records import Label
from sw.network import Mean


class MeanEmission(Emission[Mean]):
    """One MEAN instruction for a run of means: the last of them makes it.

    A mean that the lanes sum while they write has none.
    """

    layer = Mean
    sums_residuals = True
    late = True

    def taps(self, layer: Mean, name: str) -> bool | None:
        return None

    def constants(self, constants: Constants, layer: Mean) -> None:
        run = _run(constants.place.residuals, layer)
        if run is None:
            return
        # buffer A first; zeros where A's mean is not wanted
        bias = np.zeros((max(run) + 1, constants.config.cols))
        factor = np.zeros((max(run) + 1, 1, constants.config.cols))
        for buffer, layer in run.items():
            bias[buffer], factor[buffer] = layer.bias, layer.factor
        constants.params[run[max(run)].name] = constants.parameters(bias, factor)

    def emit(self, m: Emitter, layer: Mean, part: range | None = None) -> None:
        run = _run(m.place.residuals, layer)
        if run is not None:
            _emit(m, run, part)


def _run(residuals: Residuals, layer: Mean) -> dict[int, Mean] | None:
    """The run of means that the layer ends."""
    return next((run for run in residuals.mean_runs if run[max(run)] is layer), None)


def _emit(m: Emitter, run: dict[int, Mean], part: range | None) -> None:
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
