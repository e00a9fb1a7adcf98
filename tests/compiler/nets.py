"""Networks made by hand, layer by layer."""

import numpy as np
import pytest

from hw.arch import SpikeloomError
from hw.arch.config import Config
from sw.api import IntegerNetwork
from sw.compiler import compile_network
from sw.network import (
    Affine,
    AttentionApply,
    AttentionMap,
    BinaryLayer,
    Head,
    Mean,
    Neuron,
    PixelConv,
    Residual,
    State,
)

STATE = State(bits=2, thresholds=np.array([5]), shift=4)


def pixel(out=8, size=3, padding=1, state=None, **options):
    """First layer; its spikes are 'p'."""
    return PixelConv(
        name="pixel",
        weight=np.ones((out, 1, size, size), np.int64),
        bias=np.zeros(out, np.int64),
        shift=4,
        weight_bits=8,
        pixel_shift=0,
        centre=(0,),
        padding=padding,
        neuron=Neuron(name="p", theta=100, state=state),
        **options,
    )


def conv(name, source, inputs=8, out=8, size=3, neuron=True, state=None, **options):
    """Binary layer whose spikes are ``name`` + '.s'."""
    return BinaryLayer(
        name=name,
        source=source,
        weight=np.ones((out, inputs, size, size), bool),
        affine=Affine(factor=np.ones(out, np.int64), bias=np.zeros(out, np.int64), shift=4),
        neuron=Neuron(name=f"{name}.s", theta=3, state=state) if neuron else None,
        **options,
    )


def mean(source, name="mean", **options):
    return Mean(name=name, source=source, factor=1, bias=0, shift=4, **options)


def network(*layers, inputs=8, sources=("mean",), side=(8, 8), steps=2, channels=1, **options):
    """Network of these layers and a head."""
    head = Head(
        name="logits",
        sources=sources,
        weight=np.ones((2, inputs), np.int64),
        bias=np.zeros(2, np.int64),
        shift=4,
        weight_bits=4,
        scale=1.0,
    )
    return IntegerNetwork(
        name="hand",
        steps=steps,
        channels=channels,
        height=side[0],
        width=side[1],
        classes=2,
        frac_bits=4,
        layers=(*layers, head),
        **options,
    )


def projected(last, *before):
    """A residual 'r' in buffer B, made by 1x1, and ``last`` layers."""
    return network(
        pixel(), *before, conv("a", "p", size=1, neuron=False, residual=Residual(output="r")), *last
    )


def refused(net, message, config=None):
    config = config or Config()
    with pytest.raises(SpikeloomError, match=message) as e:
        compile_network(net, config)
    assert str(e.value).startswith("network 'hand', layer '")


def attention(heads=2, order="qk", **changes):
    """q, k and v of 8 channels, their map, what it is applied to, and a mean."""
    one = Affine(factor=np.ones(1, np.int64), bias=np.zeros(1, np.int64), shift=4)
    two = np.ones((2, heads), np.int64)  # by step
    each = Affine(factor=two, bias=0 * two, shift=4)
    sizes = {"heads": heads, "order": order}
    left, right, source = ("q.s", "k.s", "v.s") if order == "qk" else ("k.s", "v.s", "q.s")
    similar = AttentionMap(
        name="map",
        left=left,
        right=right,
        similarity="and",
        affine=one,
        neuron=Neuron(name="m", theta=1),
        **sizes,
    )
    apply = AttentionApply(
        name="apply", source=source, map="m", affine=each, neuron=Neuron(name="o", theta=1), **sizes
    )
    parts = [changes.get(name, conv(name, "p", size=1)) for name in "qkv"]
    return [pixel(), *parts, similar, apply, conv("z", "o", size=1), mean("z.s")]
