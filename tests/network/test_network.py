"""Integer networks are checked as a whole: what is refused, and what a network tells of itself."""

import dataclasses

import numpy as np
import pytest

from hw.arch import formats, isa
from hw.common.errors import SpikeloomError
from sw.network import Head, Mean, tensor_shapes
from sw.testing import random_images, random_network, random_residual_network
from tests import networks

SMALL = networks.SMALL | {"width": 12, "steps": 3, "classes": 4}
RESIDUAL = {
    "height": 11,
    "width": 14,
    "channels": 1,
    "steps": 3,
    "classes": 4,
    "widths": (8, 8, 24),
    "blocks": (1, 2, 1),
}


def test_invalid_networks_are_refused():
    network = random_network(0, **SMALL)
    with pytest.raises(SpikeloomError, match="steps is 17"):
        network.replace(steps=17)
    with pytest.raises(SpikeloomError, match="last layer must be a Head"):
        network.replace(layers=network.layers[:-1])
    with pytest.raises(SpikeloomError, match="no earlier layer writes"):
        networks.edited(network, 1, source="nowhere")
    with pytest.raises(SpikeloomError, match="shift 5 is not one of"):
        networks.edited(network, 0, shift=5)
    with pytest.raises(SpikeloomError, match="a second time"):
        network.replace(layers=(network.layers[0], *network.layers))
    head = len(network.layers) - 1
    assert isinstance(network.layers[head], Head)
    with pytest.raises(SpikeloomError, match="weight is"):
        networks.edited(network, head, weight=network.layers[head].weight + (1 << 17))
    mean = next(i for i, la in enumerate(network.layers) if isinstance(la, Mean))
    with pytest.raises(SpikeloomError, match="the accumulator holds"):
        networks.edited(network, mean, factor=100_000)


def test_streams_need_states_and_single_steps():
    whole = random_residual_network(2, **RESIDUAL, bits=0)
    with pytest.raises(SpikeloomError, match="keep no membrane between images"):
        whole.replace(stream=True, steps=1)
    kept = random_residual_network(2, **RESIDUAL, bits=4)
    with pytest.raises(SpikeloomError, match="steps must be 1"):
        kept.replace(stream=True)


NET = random_network(0, **SMALL)


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("steps", 1, formats.MAX_STEPS),
        ("height", 1, isa.BY_NAME["img_h"].most),
        ("width", 1, isa.BY_NAME["img_w"].most),
        ("channels", 1, 1 << 20),
        ("classes", 1, 1 << 20),
        ("frac_bits", 0, formats.MEMBRANE_BITS - 2),
    ],
)
def test_sizes_are_bounded(field, least, most):
    for value in (least - 1, most + 1):
        with pytest.raises(SpikeloomError, match=f"{field} is {value} to {value}, wanted {least} "):
            NET.replace(**{field: value})
    for value in (least, most):  # another field is wrong then, or none
        try:
            NET.replace(**{field: value})
        except SpikeloomError as error:
            assert f"{field} is" not in str(error)  # noqa: PT017


def test_a_layer_of_no_kind():
    with pytest.raises(SpikeloomError, match="unknown layer 'conv'"):
        NET.replace(layers=("conv", *NET.layers))


def test_no_layers():
    with pytest.raises(SpikeloomError, match="the last layer must be a Head"):
        NET.replace(layers=())


def test_the_head_is_the_last_layer():
    assert NET.head is NET.layers[-1]


def layer_with(part):
    return next(i for i, la in enumerate(NET.layers) if getattr(la, part, None) is not None)


def test_parts_of_every_layer_are_bounded():
    """Neuron, shift, factor and bias, and the layer at fault is named."""
    at = layer_with("affine")
    name, affine = NET.layers[at].name, NET.layers[at].affine
    neuron = dataclasses.replace(NET.layers[at].neuron, theta=0)
    wrong = {
        "theta is 0 to 0": {"neuron": neuron},
        "shift 6 is not one of": {"affine": dataclasses.replace(affine, shift=6)},
        f"factor is .* wanted -{formats.FACTOR_MAX}": {
            "affine": dataclasses.replace(affine, factor=affine.factor + formats.FACTOR_MAX * 2)
        },
        f"bias is .* wanted -{formats.BIAS_MAX}": {
            "affine": dataclasses.replace(affine, bias=affine.bias - formats.BIAS_MAX * 2)
        },
    }
    for message, changes in wrong.items():
        with pytest.raises(SpikeloomError, match=f"random0: layer {name}: {message}"):
            networks.edited(NET, at, **changes)


def test_the_value_of_a_shortcut_is_bounded():
    network = random_residual_network(2, **RESIDUAL)
    at = next(i for i, la in enumerate(network.layers) if getattr(la, "shortcut", None))
    shortcut = network.layers[at].shortcut
    most = formats.MEMBRANE_MAX
    for value in (most, -most):
        networks.edited(network, at, shortcut=dataclasses.replace(shortcut, value=value))
    for value in (most + 1, -most - 1):
        with pytest.raises(SpikeloomError, match=f"value of the shortcut is {value} to"):
            networks.edited(network, at, shortcut=dataclasses.replace(shortcut, value=value))


def test_streams_read_one_image_a_step():
    kept = random_residual_network(2, **RESIDUAL | {"steps": 1}, bits=4, stream=True)
    with pytest.raises(SpikeloomError, match="steps must be 1, and an image is one step"):
        kept.replace(per_step_input=True)
    first = dataclasses.replace(kept.layers[0].neuron, state=None)
    with pytest.raises(SpikeloomError, match="is a stream, but lif1 keep no membrane"):
        networks.edited(kept, 0, neuron=first)


def test_shapes_of_all_tensors():
    shapes = tensor_shapes(NET).shape
    images = random_images(NET, 2)
    trace = NET.run(images, trace=True).trace
    assert {"logits"} | trace.keys() == shapes.keys()
    for name, tensor in trace.items():
        got = tensor.shape[2:] if tensor.ndim > 2 else tensor.shape[1:]
        assert int(np.prod(got)) == int(np.prod(shapes[name]))
        assert got[0] == shapes[name][0]
    assert shapes["logits"] == (4,)


def test_a_network_shows_its_sizes_and_layers():
    text = repr(NET)
    first, *rest = text.splitlines()
    assert first == (
        f"IntegerNetwork 'random0': 8x12, 1 channels, 3 steps, 4 classes, {len(NET.layers)} layers"
    )
    assert len(rest) == len(NET.layers)
    stream = random_residual_network(2, **RESIDUAL | {"steps": 1}, bits=4, stream=True)
    assert ", a step of a stream, " in repr(stream)
