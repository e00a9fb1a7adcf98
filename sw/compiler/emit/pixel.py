"""The first convolution as an instruction."""

import numpy as np

from hw.arch import isa
from hw.arch.isa import CENTRES, Keep, Op, Step
from hw.arch.timing import STATE_GAP
from sw.compiler.addresses import Stride
from sw.compiler.emit.base import Emission
from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.plan.layout import ceil_div
from sw.compiler.records import Label
from sw.network import PixelConv


class PixelEmission(Emission[PixelConv]):
    """One MAC instruction: a tile for some output pixels of an image row."""

    layer = PixelConv
    outside = True
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
        centre = layer.centre[:CENTRES]  # check_network has seen to the others
        lane, target = m.neuron(layer), m.written(layer, w)
        leak = bool(lane.get("leak"))
        # what is kept has an address per step that only the loop over steps gives
        per_step = m.net.per_step_input or target["keep"] != Keep.NONE or (leak and m.steps == 1)
        shown = 1 if per_step else m.steps
        gap = STATE_GAP if leak else 1
        pixels = self._pixels(m, layer, shown, gap)
        row, base = self._rows(m, layer)
        m.emit(
            Op.MAC,
            Label(
                layer=layer.name,
                op=Op.MAC.name,
                kind="spikes",
                shape=place.shape[name],
                **m.tensors(layer),
            ),
            row=row,
            col={"k": 1, "dx": channels, "dy": channels * kw, "j": channels * kw * kh},
            row_base=base,
            col_base=m.constants.weights[layer.name],
            n_k=channels,
            n_dx=kw,
            n_dy=kh,
            n_t=m.steps if per_step else 1,
            n_x=ceil_div(w, pixels),
            n_y=h,
            n_j=ceil_div(out, c.cols),
            n_h=1,
            img_w=m.net.width,
            img_h=m.net.height,
            image=int(place.image_memory == "row"),
            n_pix=pixels - 1,
            last_pix=(w - 1) % pixels,
            x_twice=int(layer.stride == 2),
            y_twice=int(layer.stride == 2),
            shift_left=layer.padding,
            pad_y=layer.padding,
            spread=int(not per_step),
            n_spread=shown - 1,
            tile_min=_least(shown, pixels, gap),
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

    @staticmethod
    def _rows(m: Emitter, layer: PixelConv) -> tuple[dict[str, Stride], int]:
        """Strides of the image's addresses, and the address of the first word.

        In row memory the columns of an image row are counted by the core itself.
        """
        place, net, pad = m.place, m.net, layer.padding
        line, stride = place.image_line, layer.stride
        row: dict[str, Stride] = {"dy": line, "y": stride * line}
        if place.image_memory == "row":
            return row | {"t": net.height * line if net.per_step_input else 0}, (
                place.image_base - pad * line
            )
        plane = net.height * line
        row |= {"k": plane, "dx": 1, "x": stride}
        return row | {"t": net.channels * plane if net.per_step_input else 0}, -pad * (line + 1)

    @staticmethod
    def _pixels(m: Emitter, layer: PixelConv, passes: int, gap: int) -> int:
        """Pixels of a tile with which the layer takes the fewest cycles."""
        c, words = m.config, layer.weight[0].size
        width = m.place.shape[layer.neuron.name][2]
        most = c.tile_pixels if layer.stride == 1 else min(c.tile_pixels, c.rows // 2)
        options = [1]
        while m.place.image_memory == "row" and 2 * options[-1] <= most:
            options.append(2 * options[-1])

        def cycles(pixels: int) -> int:
            return ceil_div(width, pixels) * max(words, _least(passes, pixels, gap))

        longest = isa.BY_NAME["tile_min"].most
        return min((n for n in options if _least(passes, n, gap) <= longest or n == 1), key=cycles)


def _least(passes: int, pixels: int, gap: int) -> int:
    """Fewest cycles of a tile: its neurons pass through all pixels at every step."""
    return max(2, passes * max(pixels, gap))
