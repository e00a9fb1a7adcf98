"""The first convolution as an instruction."""

import numpy as np

from hw.arch.isa import CENTRES, Keep, Op, Step
from hw.arch.timing import STATE_GAP
from sw.compiler.emit.base import Emission
from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.plan.layout import ceil_div
from sw.compiler.records import Label
from sw.network import PixelConv


class PixelEmission(Emission[PixelConv]):
    """One MAC instruction: a tile for each output pixel."""

    layer = PixelConv
    keeps_spikes = True

    def constants(self, constants: Constants, layer: PixelConv) -> None:
        slots = constants.slots(len(layer.weight))
        constants.bias_only(layer, slots)
        # words: tile, dy, dx, input channel
        words = np.asarray(layer.weight, np.int64).transpose(0, 2, 3, 1)
        constants.weights[layer.name] = constants.lane_weights(words.reshape(len(words), -1), slots)

    def emit(self, m: Emitter, layer: PixelConv, part: range | None = None) -> None:
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
