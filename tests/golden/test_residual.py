"""States, shortcuts, strides, pools and streams: packed, plain and naive give the same integers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw.arch.formats import MEMBRANE_MAX, STATE_MAX
from sw.api import IntegerNetwork
from sw.network import Affine, BinaryLayer, Head, Mean, Neuron, PixelConv, Shortcut, State
from sw.testing import random_images, random_residual_network
from tests.golden.equal import check_all_equal

RESIDUAL = {"widths": (8, 8, 24), "blocks": (1, 2, 1)}
WIDE = {"widths": (8, 72), "blocks": (2, 1), "stem": 7}
STRIDED = {"widths": (8, 16, 24, 40), "halve": (1, 3)}
POOLED = {**STRIDED, "pooled": True}
KINDS = {"residual": RESIDUAL, "wide": WIDE, "strided": STRIDED, "pooled": POOLED}
SMALL = {"height": 11, "width": 14, "channels": 1, "steps": 3, "classes": 4}


@st.composite
def sizes(draw):
    stream = draw(st.booleans())
    kind = draw(st.sampled_from(sorted(KINDS)))
    widths = tuple(draw(st.sampled_from([4, 8, 20, 40, 72])) for _ in KINDS[kind]["widths"])
    return {
        **KINDS[kind],
        "widths": widths,
        "height": draw(st.integers(8, 20)),
        "width": draw(st.integers(8, 20)),
        "channels": draw(st.integers(1, 3)),
        "bits": draw(st.sampled_from([2, 4, 8, None] if stream else [0, 2, 4, 8, None])),
        "steps": 1 if stream else draw(st.integers(1, 4)),
        "classes": draw(st.integers(1, 11)),
        "flatten": draw(st.booleans()),
        "per_step_input": not stream and draw(st.booleans()),
        "stream": stream,
    }


@given(seed=st.integers(0, 10_000), arguments=sizes())
@settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
def test_packed_plain_and_naive_are_equal(seed, arguments):
    network = random_residual_network(seed, **arguments)
    check_all_equal(network, random_images(network, 3, seed))


def test_canonical_shapes():
    network = random_residual_network(1, **{**SMALL, **WIDE})
    trace = network.run(random_images(network, 5), trace=True).trace
    assert trace["lif1"].shape == (3, 5, 8, 6, 7)
    assert trace["maxpool"].shape == (3, 5, 8, 3, 4)
    assert trace["layer2.0.downsample.bn.bn"].shape == (3, 5, 72, 2, 2)
    assert trace["layer2.0.sum"].shape == (3, 5, 72, 2, 2)
    assert trace["avgpool"].shape == (5, 72)
    network = random_residual_network(1, **{**SMALL, **POOLED})
    trace = network.run(random_images(network, 5), trace=True).trace
    assert trace["features.1.act"].shape == (3, 5, 16, 5, 7)
    assert trace["features.3.act"].shape == (3, 5, 40, 2, 3)
    assert trace["flatten"].shape == (5, 240)


@pytest.mark.parametrize("kind", ["numba", "plain"])
def test_batches_do_not_cut_a_stream(kind):
    network = random_residual_network(3, **{**SMALL, **RESIDUAL, "steps": 1}, bits=8, stream=True)
    images = random_images(network, 11)
    whole = network.run(images, trace=True, kind=kind)
    parts = network.run(images, trace=True, kind=kind, batch=3)
    np.testing.assert_array_equal(whole.logits, parts.logits)
    assert whole.logits.shape == (11, 4)
    assert whole.trace["lif1"].shape == (1, 11, 8, 11, 14)
    for name, tensor in whole.trace.items():
        np.testing.assert_array_equal(tensor, parts.trace[name], name)


def test_a_stream_remembers_and_starts_from_nothing():
    network = random_residual_network(3, **{**SMALL, **RESIDUAL, "steps": 1}, bits=8, stream=True)
    images = random_images(network, 6)
    stream = network.run(images).logits
    alone = np.concatenate([network.run(images[i : i + 1]).logits for i in range(6)])
    np.testing.assert_array_equal(stream[0], alone[0])
    assert (stream[1:] != alone[1:]).any()
    np.testing.assert_array_equal(stream, network.run(images).logits)  # nothing stays behind


@pytest.mark.parametrize("kind", ["residual", "wide", "pooled"])
def test_a_stream_of_frames_gives_the_spikes_of_one_sample(kind):
    """T frames of a stream are one image of T frames, whose logits are the steps' sum."""
    arguments = {**SMALL, **KINDS[kind], "steps": 4, "bits": 4}
    network = random_residual_network(8, **arguments, per_step_input=True)
    frames = random_images(network, 1)
    together = network.run(frames, trace=True).trace
    stream = network.replace(steps=1, per_step_input=False, stream=True)
    apart = stream.run(frames[0], trace=True).trace
    for layer in network.layers:
        if isinstance(layer, Mean | Head):
            continue
        name = (getattr(layer, "neuron", None) or layer).name
        if name in together:
            np.testing.assert_array_equal(together[name][:, 0], apart[name][0], name)


def test_fed_tensors_replace_those_of_a_stream():
    network = random_residual_network(3, **{**SMALL, **RESIDUAL, "steps": 1}, bits=8, stream=True)
    images = random_images(network, 6)
    plain = network.run(images, trace=True).trace
    feed = {"lif1": np.zeros_like(plain["lif1"])}
    fed = network.run(images, trace=True, feed=feed, batch=4)
    np.testing.assert_array_equal(fed.trace["lif1"], plain["lif1"])
    quiet = fed.trace["layer1.0.lif1"]
    assert (quiet == quiet[..., :1, :1]).all()  # a bias alone is the same in every pixel


def corner_network(bits, shift, value, theta):
    """Two 1x1 layers that pass a pixel's brightness on, near the ends of all ranges."""
    levels = 2 ** (bits - 1) - 1
    thresholds = np.linspace(1, STATE_MAX + 1, levels).astype(np.int64)
    thresholds[0] = min(thresholds[0], 1 << shift)  # equal to |w| where |w| is one code
    state = State(bits=bits, thresholds=thresholds, shift=shift)
    first = PixelConv(
        name="c",
        weight=np.array([2**16, -(2**16)]).reshape(2, 1, 1, 1),
        bias=np.array([8, 8]),
        shift=4,
        weight_bits=2,
        pixel_shift=0,
        centre=(100,),
        padding=0,
        neuron=Neuron(name="s", theta=1, state=state),
    )
    affine = Affine(
        factor=np.array([131071, -131071]), bias=np.array([-(1 << 20), (1 << 31) - 1]), shift=4
    )
    second = BinaryLayer(
        name="d",
        source="s",
        weight=np.array([[True, True], [False, True]]).reshape(2, 2, 1, 1),
        affine=affine,
        neuron=Neuron(name="t", theta=theta, state=state),
        shortcut=Shortcut(source="s", value=value),
    )
    mean = Mean(name="m", source="t", factor=1, bias=0, shift=4, over_tokens=False)
    head = Head(
        name="logits",
        sources=("m",),
        weight=np.eye(24, dtype=np.int64),
        bias=np.zeros(24, dtype=np.int64),
        shift=4,
        weight_bits=8,
        scale=1.0,
    )
    return IntegerNetwork(
        name="corners",
        steps=3,
        channels=1,
        height=3,
        width=4,
        classes=24,
        frac_bits=4,
        layers=(first, second, mean, head),
    )


@pytest.mark.parametrize("value", [0, MEMBRANE_MAX, -MEMBRANE_MAX, 1])
@pytest.mark.parametrize(("bits", "shift"), [(2, 1), (2, 11), (4, 4), (4, 11), (8, 8), (8, 11)])
def test_corners_of_states_and_shortcuts(bits, shift, value):
    images = np.array([0, 99, 100, 101, 102, 255, 98, 1, 254, 103, 97, 50], dtype=np.uint8)
    images = images.reshape(1, 1, 3, 4)
    for theta in (1, 1 << shift, MEMBRANE_MAX):
        network = corner_network(bits, shift, value, theta)
        check_all_equal(network, images)
        check_all_equal(network.replace(steps=1, stream=True), np.repeat(images, 5, axis=0))
