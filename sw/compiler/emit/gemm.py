"""A convolution of one-bit words on the array as an instruction."""

import math

from hw.arch import formats
from hw.arch.isa import Dest, Keep, Op, Step
from sw.compiler.emit.emitter import Emitter
from sw.compiler.emit.walks import choose_walk
from sw.compiler.plan.layout import ceil_div
from sw.compiler.records import Label
from sw.network import Layer, Mean
from sw.network.layers import shortcut_of

IMAGES = (Dest.ROW, Dest.ROW_TAPS)


def emit_convolution(
    m: Emitter,
    layer: Layer,
    part: range | None,
    *,
    image: str,
    weight: tuple[int, ...],
    stride: int = 1,
    pool: int = 1,
    signed: bool = True,
) -> None:
    """Append one GEMM instruction that convolves a spike image with one-bit weights.

    Its weights and parameters stand in the tables of `Constants` under the layer's name.

    Parameters
    ----------
    part : column tiles, from a multiple of those in a word; else all. Not with heads.
    image : name of the spikes that are read.
    weight : (O, I, kh, kw), shape of the weights; kh = kw is 1 or 3.
    stride, pool : one of them may be 2; with pool the four places of a window are summed.
    signed : weights are -1 and +1, else 0 and 1.
    """
    c, place, source = m.config, m.place, m.place.layouts[image]
    _, h, w = place.shape[image]
    out, channels, size, _ = weight
    if source.dest not in IMAGES or source.head_words:
        raise place.fail(layer.name, f"cannot read {image!r}: attention reads it too")
    depth = channels * size * size * pool**2
    m.count(depth)
    shape = place.shape[next(iter(layer.writes()))]
    _, oh, ow = shape
    pool_layer = place.fusions.pools.get(layer.name)
    target = m.written(layer, ow)
    if source.flat:
        h, w = 1, h * w
        oh, ow = h, w
    elif target.get("dest") in (Dest.COL_TOKEN, Dest.COL_CHANNEL, Dest.ROW_CHANNEL) and oh > 1:
        raise place.fail(layer.name, "attention operands must come from flat tokens")
    walk = choose_walk(source, w, size, stride=stride, rows=c.rows)
    heads, tiles, _ = m.constants.tile_channels(out, layer.spikes()).shape
    part = part or range(tiles)
    first = part.start
    if "w_base" in target:
        target["w_base"] += first // target["slots"] * target["w_j"]
    if "st_base" in target:
        target["st_base"] += first * target["res_j"]
    lane, mean = m.neuron(layer), place.fusions.means.get(layer.name)
    n_par = 2 if mean is None else 4
    m.emit(
        Op.GEMM,
        Label(
            layer=layer.name,
            op=Op.GEMM.name,
            kind="spikes",
            shape=shape,
            head_width=out // heads if heads > 1 else 0,
            first=first * c.cols,
            mean="" if mean is None else mean.name,
            pooled=(pool_layer and pool_layer.spikes()) or "",
            **m.tensors(layer),
        ),
        row={"k": 1, "t": source.words, "x": source.group, **walk.row},
        col={
            "k": 1,
            "dx": walk.dx,
            "dy": walk.dy,
            "j": walk.words,
            "h": walk.words * tiles,
        },
        row_base=place.base[image] + walk.base,
        col_base=m.constants.weights[layer.name] + first * walk.words,
        n_k=source.words,
        n_t=m.steps,
        n_x=ceil_div(ow, c.rows),
        n_y=oh,
        n_j=len(part),
        n_h=heads,
        n_step=Step.ROWS if pool_layer is None else Step.HALF,
        pool=int(pool_layer is not None),
        n_par=n_par,
        par_base=m.constants.params[layer.name] + n_par * first,
        par_j=n_par,
        par_h=n_par,
        tile_min=m.tile_min(c.rows, lane),
        img_w=ow,
        img_h=h // pool * pool,
        row_gs=source.group,
        double=int(signed),
        rowpop=int(signed),
        lanes=m.last_lanes(out // heads) if part.stop == tiles else c.cols,
        **walk.fields,
        **target,
        **lane,
        **_shortcut(m, layer, first),
        **_mean(m, layer, mean, first),
    )
    if not first:
        step, pad = stride * pool, size // 2 * pool
        sides = ((h // pool * pool, oh), (w // pool * pool, ow))
        taps = math.prod(taps_inside(n, outs, size * pool, step, pad) for n, outs in sides)
        m.ops.append((layer.name, channels * taps * out * m.steps))


def taps_inside(side: int, outs: int, taps: int, step: int, pad: int) -> int:
    """Taps in the image of all ``outs`` places along a side, ``step`` from one to the next."""
    starts = (step * n - pad for n in range(outs))
    return sum(min(side, start + taps) - max(0, start) for start in starts)


def _mean(m: Emitter, layer: Layer, mean: Mean | None, first: int) -> dict[str, int]:
    """Fields of a mean that is summed while the layer writes, from column tile ``first`` on."""
    if mean is None:
        return {}
    offset, _ = m.place.residuals.features[mean.name]
    return {
        "mean": Keep.SPIKE if mean.source == layer.spikes() else Keep.Y,
        "mean_shift": formats.SHIFTS.index(mean.shift),
        "mean_base": m.place.feature_base + offset + first * m.config.cols,
    }


def _shortcut(m: Emitter, layer: Layer, first: int) -> dict[str, int]:
    """Fields of a shortcut, from column tile ``first`` on, which begins a word."""
    shortcut = shortcut_of(layer)
    if shortcut is None:
        return {}
    name = shortcut.source
    layout = m.place.layouts[name]
    assert layout.line and not layout.half and layout.position is None  # seen to by now
    return {
        "shortcut": 1,
        "sc_base": m.place.base[name] + first * m.config.cols // m.config.width,
        "sc_gs": layout.group,
        "sc_t": layout.words,
        "sc_byte": layout.slot if layout.pack else 0,
        "sc_value": shortcut.value,
    }
