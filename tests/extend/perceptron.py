"""A toy family: a spiking perceptron of one binary layer over patches of the image.

Its checkpoint has a key layout of its own::

    patches.kernel  (O, C, 3, 3)  real weights on the pixels
    patches.gain    (O,)          currents are gain * sum + shift
    patches.shift   (O,)
    layer.signs     (D, O)        binary once their mean is taken off
    layer.gain      (D,)
    layer.shift     (D,)
    readout.matrix  (classes, D)  of the mean over pixels and steps
    readout.offset  (classes,)
"""

import numpy as np

from hw.common.errors import SpikeloomError
from sw.families import Family
from sw.families.reasons import why
from sw.families.settings import missing_normalisation, per_channel
from sw.graph import IMAGE, LIF, BatchNorm, Conv, FloatNetwork, HeadAverage, Linear, MeanTokens


def recognises(state):
    """Whether the keys are this family's."""
    return "patches.kernel" in state


def wanted(state):
    """Key -> shape of each tensor, with the sizes that the tensors tell."""
    kernel, signs = state["patches.kernel"], state.get("layer.signs", np.empty((8, 0)))
    matrix = state.get("readout.matrix", np.empty((2, 0)))
    channels = kernel.shape[1] if kernel.ndim == 4 else 1
    shapes = {"patches.kernel": (len(kernel), channels, 3, 3)}
    shapes |= {f"patches.{part}": (len(kernel),) for part in ("gain", "shift")}
    shapes |= {"layer.signs": (len(signs), len(kernel))}
    shapes |= {f"layer.{part}": (len(signs),) for part in ("gain", "shift")}
    shapes |= {"readout.matrix": (len(matrix), len(signs)), "readout.offset": (len(matrix),)}
    return shapes


def read(path, state, settings, *, name, meta):
    """Float graph of a state dict; every key and shape is checked first."""
    shapes = wanted(state)
    wrong = {k: s for k, s in shapes.items() if k in state and state[k].shape != s}
    if wrong or state.keys() != shapes.keys():
        raise SpikeloomError(why(path, "perceptron", shapes, state, wrong))
    channels = state["patches.kernel"].shape[1]
    missing = [] if settings.steps else ["steps= (time steps T)"]
    if missing := missing + missing_normalisation(settings, channels):
        raise SpikeloomError(f"{path}: nothing tells what the network needs; give {missing}")

    def currents(layer):
        gain, shift = state[f"{layer}.gain"], state[f"{layer}.shift"]
        none, one = np.zeros_like(gain), np.ones_like(gain)
        return BatchNorm(
            name=f"{layer}.currents", source=layer, weight=gain, bias=shift, mean=none, var=one
        )

    signs = state["layer.signs"][:, :, None, None]
    nodes = (
        Conv(name="patches", source=IMAGE, weight=state["patches.kernel"], binary=False, padding=1),
        currents("patches"),
        LIF(name="patches.spikes", source="patches.currents"),
        Conv(name="layer", source="patches.spikes", weight=signs, binary=True),
        currents("layer"),
        LIF(name="layer.spikes", source="layer.currents"),
        MeanTokens(name="mean", source="layer.spikes"),
        Linear(
            name="readout",
            source="mean",
            weight=state["readout.matrix"],
            bias=state["readout.offset"],
        ),
        HeadAverage(name="logits", sources=("readout",)),
    )
    return FloatNetwork(
        name=name,
        nodes=nodes,
        steps=settings.steps,
        channels=channels,
        classes=len(state["readout.offset"]),
        mean=per_channel(path, "mean", settings.mean, 0.0, channels),
        std=per_channel(path, "std", settings.std, 1.0, channels),
        size=settings.image_size,
        meta=meta,
    )


PERCEPTRON = Family(
    name="perceptron",
    title="perceptron",
    keys="patches.kernel, layer.signs, readout.matrix",
    settings=("steps", "mean", "std", "image_size"),
    recognises=recognises,
    read=read,
    own_names=r"patches\.|layer\.(?:signs|gain|shift)$|readout\.",
)
