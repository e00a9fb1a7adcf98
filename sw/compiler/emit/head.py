"""The last layer as an instruction."""

import numpy as np

from hw.arch.isa import Dest, Op, Step
from sw.compiler.emit.base import Emission
from sw.compiler.emit.constants import Constants
from sw.compiler.emit.emitter import Emitter
from sw.compiler.plan.layout import ceil_div
from sw.compiler.records import Label
from sw.network import Head


class HeadEmission(Emission[Head]):
    """One MAC instruction over the features in pixel memory."""

    layer = Head
    outside = True

    def constants(self, constants: Constants, layer: Head) -> None:
        """Weights in the order of the features in pixel memory."""
        slots = constants.slots(len(layer.weight))
        constants.bias_only(layer, slots)
        residuals = constants.place.residuals
        words = np.zeros((len(layer.weight), residuals.feature_count), np.int64)
        at = 0
        for source in layer.sources:
            place = _feature_places(constants, source)
            words[:, place] += np.asarray(layer.weight, np.int64)[:, at : at + len(place)]
            at += len(place)
        constants.weights[layer.name] = constants.lane_weights(words, slots)

    def emit(self, m: Emitter, layer: Head, part: range | None = None) -> None:
        c, place, classes = m.config, m.place, len(layer.weight)
        features = place.residuals.feature_count
        m.emit(
            Op.MAC,
            Label(
                layer=layer.name, op=Op.MAC.name, tensor=layer.name, kind="values", shape=(classes,)
            ),
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


def _feature_places(constants: Constants, name: str) -> np.ndarray:
    """Place of each number of a mean among the features."""
    residuals = constants.place.residuals
    base, channels = residuals.features[name]
    mean = residuals.mean(name)
    if mean.over_tokens:
        return base + np.arange(channels)
    pitch = ceil_div(channels, constants.config.cols) * constants.config.cols
    _, h, w = constants.place.shape[mean.source]
    tokens = np.array([residuals.token_index(mean.source, n) for n in range(h * w)])
    return base + (tokens * pitch + np.arange(channels)[:, None]).ravel()
