"""Networks that no core can run, and misfits: each is told, with what would cure it."""

import dataclasses

import numpy as np
import pytest

from hw.arch import SpikeloomError
from hw.arch.config import Config
from sw.api import IntegerNetwork
from sw.compiler import compile_network, fit_config, required
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
    Shortcut,
    SpikePool,
    State,
)
from sw.testing import random_images, random_network, random_residual_network

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


def test_mixed_readers_of_a_split_layout():
    for other in (conv("b", "p"), SpikePool(name="b", source="p"), conv("b", "p", size=1)):
        net = network(pixel(), conv("a", "p", stride=2), other, mean("a.s"))
        refused(net, r"reads 'p' column by column, but layer 'a' reads it with stride 2 or pool 2")


def test_shortcut_of_a_split_layout():
    net = network(
        pixel(),
        conv("a", "p", pool=2),
        conv("b", "p"),
        conv("c", "b.s", shortcut=Shortcut(source="p", value=3)),
        mean("c.s"),
    )
    refused(net, "reads 'p' column by column")


def test_residual_numbered_in_two_ways():
    """Spikes of one layer go to a 3x3 layer, of the other to one of stride 2."""
    layers = [
        pixel(),
        conv("a", "p", residual=Residual(output="r")),
        conv("b", "a.s", residual=Residual(output="s", inputs=("r",))),
        conv("c", "b.s", stride=2),
        mean("c.s"),
    ]
    net = network(*layers, side=(6, 9))
    refused(net, r"layer 'b': numbers 'r' with 16 tokens per image row, layer 'a' with 12")
    compile_network(network(*layers, side=(6, 16)))  # all numberings are one


def test_mean_of_what_is_not_kept():
    net = network(pixel(), SpikePool(name="pool", source="p"), mean("pool"))
    refused(net, "layer 'pool': a mean can sum spikes of convolutions only, but it reads 'pool'")


def test_residual_and_spikes_of_one_layer():
    net = network(
        pixel(),
        conv("a", "p", residual=Residual(output="r")),
        mean("a.s"),
        mean("r", name="other"),
        sources=("mean", "other"),
        inputs=16,
    )
    refused(net, "residual 'r' and spikes 'a.s' would both have to be kept")


def test_mean_over_gaps():
    layers = [pixel(), conv("a", "p"), conv("b", "a.s"), mean("a.s"), mean("b.s", name="other")]
    net = network(*layers, sources=("mean", "other"), inputs=16, side=(6, 6))
    refused(net, r"layer 'a' leaves 2 of 8 places free after each image row")
    compile_network(network(*layers, sources=("mean", "other"), inputs=16, side=(6, 8)))


def test_buffer_b_only():
    add = {"residual": Residual(output="s", inputs=("r",))}
    again = {"residual": Residual(output="t", inputs=("s",))}
    sums = conv("b", "p", size=1, **add), conv("c", "b.s", size=1, **again), mean("t")
    compile_network(projected(sums))  # r, s and t one after the other in buffer B
    late = *sums[:2], mean("t"), mean("r", name="other")
    net = projected(late)
    head = dataclasses.replace(
        net.head, sources=("mean", "other"), weight=np.ones((2, 16), np.int64)
    )
    net = net.replace(layers=(*net.layers[:-1], head))
    refused(net, "'s' must lie in residual buffer B, as a single residual can be added from there")


def test_single_residual_in_buffer_a():
    """The first of two that are averaged lies in A; adding it alone is not possible."""
    layers = [
        pixel(),
        conv("a", "p", size=1, residual=Residual(output="r")),
        conv("b", "a.s", size=1, residual=Residual(output="s")),
        conv("c", "b.s", size=1, residual=Residual(output="t", inputs=("r", "s"))),
        conv("d", "c.s", size=1, residual=Residual(output="u", inputs=("s",))),
        mean("u"),
    ]
    refused(network(*layers), "single residual can be added from")


def test_stream_with_two_residuals():
    layers = [
        pixel(state=STATE),
        conv("a", "p", size=1, state=STATE, residual=Residual(output="r")),
        conv("b", "a.s", size=1, state=STATE, residual=Residual(output="s")),
        conv("c", "b.s", size=1, state=STATE, residual=Residual(output="t", inputs=("r", "s"))),
        mean("c.s"),
    ]
    net = network(*layers, steps=1, stream=True)
    refused(net, "'s' must lie in residual buffer B, as buffer A holds membranes")


def test_overwritten_residual():
    layers = [
        pixel(),
        conv("a", "p", size=1, residual=Residual(output="r")),
        conv("b", "a.s", size=1, residual=Residual(output="s", inputs=("r", "r"))),
        mean("s"),
    ]
    refused(network(*layers), "averages a residual with itself")


@pytest.mark.parametrize("how", [{"stride": 2}, {"pool": 2}])
def test_pool_before_halving(how):
    net = network(
        pixel(), SpikePool(name="pool", source="p"), conv("a", "pool", **how), mean("a.s")
    )
    refused(net, "a pool cannot feed layers of stride 2 or with pool 2")


def test_attention_in_a_stream():
    one = Affine(factor=np.ones(1, np.int64), bias=np.zeros(1, np.int64), shift=4)
    each = Affine(factor=np.ones((1, 2), np.int64), bias=np.zeros((1, 2), np.int64), shift=4)
    neuron = Neuron(name="m", theta=1, state=STATE)
    layers = [
        pixel(state=STATE),
        *(conv(c, "p", size=1, state=STATE) for c in "qkv"),
        AttentionMap(
            name="map",
            left="q.s",
            right="k.s",
            heads=2,
            order="qk",
            similarity="and",
            affine=one,
            neuron=neuron,
        ),
        AttentionApply(
            name="apply",
            map="m",
            source="v.s",
            heads=2,
            order="qk",
            affine=each,
            neuron=dataclasses.replace(neuron, name="o"),
        ),
        conv("z", "o", size=1, state=STATE),
        mean("z.s"),
    ]
    net = network(*layers, steps=1, stream=True)
    refused(net, "attention keeps no membranes in memory; run the network image by image")
    compile_network(network(*layers, steps=1))  # in the lanes they may be


def test_membranes_past_what_a_lane_counts():
    net = random_residual_network(
        0,
        height=64,
        width=64,
        channels=1,
        widths=(40, 40, 40),
        bits=2,
        steps=1,
        stream=True,
        classes=2,
        halve=(2,),
        flatten=False,
    )
    config = Config(
        rows=8, cols=8, width=64, row_depth=1 << 16, res_depth=1 << 16, pix_depth=1 << 16
    )
    compile_network(net, fit_config(net, config))
    many = random_residual_network(
        0,
        height=64,
        width=64,
        channels=1,
        widths=(40, 40, 40, 40),
        bits=2,
        steps=1,
        stream=True,
        classes=2,
        halve=(3,),
        flatten=False,
    )
    with pytest.raises(
        SpikeloomError,
        match=r"its membranes end 66560 codes of 2 bits into a "
        r"lane's memory, which counts 65536",
    ):
        compile_network(many, fit_config(many, config))


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_misfits_of_a_stream_are_told_at_once(bits):
    net = random_residual_network(
        1,
        height=16,
        width=16,
        channels=1,
        widths=(20, 40),
        blocks=(1, 1),
        bits=bits,
        steps=1,
        stream=True,
        classes=10,
    )
    few = Config(
        row_depth=64,
        col_depth=64,
        res_depth=64,
        pix_depth=64,
        prog_depth=64,
        acc_bits=8,
        state_bits=0,
        res_bits=1,
    )
    needs = required(net, few)
    assert needs["state_bits"] == bits
    with pytest.raises(SpikeloomError) as e:
        compile_network(net, few)
    for field, least in needs.items():
        assert f"{field} >= {least} would make it fit" in str(e.value), field
    assert f"stored membranes: {bits} bits needed, 0 there" in str(e.value)
    exact = fit_config(net, few)
    assert exact == dataclasses.replace(few, **needs)
    assert compile_network(net, exact).config == exact


def test_a_wide_enough_config_is_left_alone(small):
    net = random_network(1, **small)
    assert fit_config(net, Config()).state_bits == 8
    assert fit_config(net, Config(state_bits=0)).state_bits == 0


@pytest.mark.parametrize(
    "layers",
    [
        # spikes of the first layer alone
        [mean("p")],
        [mean("p", over_tokens=False)],
        # a mean beside other readers
        [conv("a", "p"), mean("p"), mean("a.s", name="b")],
        [conv("a", "p"), mean("p", over_tokens=False), mean("a.s", name="b")],
        [conv("a", "p", stride=2), mean("p", over_tokens=False), mean("a.s", name="b")],
        # residual of a layer that feeds 3x3 layers, and its sum token by token
        [
            conv("a", "p", residual=Residual(output="r")),
            conv("b", "a.s"),
            mean("r", name="m", over_tokens=False),
            mean("b.s", name="b"),
        ],
        # pool and stride 1x1, projections with neurons, a shortcut over a 1x1 layer
        [conv("a", "p", size=1, stride=2), mean("a.s")],
        [conv("a", "p", size=1, pool=2), mean("a.s")],
        [conv("a", "p", size=1, shortcut=Shortcut(source="p", value=-40)), mean("a.s")],
        [
            conv("a", "p", size=1),
            conv("c", "a.s", size=1, shortcut=Shortcut(source="p", value=50)),
            mean("c.s"),
        ],
        [
            conv("a", "p", size=1, residual=Residual(output="r")),
            conv("b", "a.s", size=1, residual=Residual(output="s", inputs=("r",))),
            conv("c", "b.s"),
            mean("c.s"),
        ],
        [
            conv("a", "p", stride=2),
            conv("d", "p", size=1, stride=2, neuron=False, residual=Residual(output="r")),
            conv("b", "a.s", residual=Residual(output="s", inputs=("r",))),
            conv("c", "b.s", pool=2),
            mean("c.s"),
        ],
        # a shortcut that is stored as a residual too
        [
            conv("a", "p"),
            conv(
                "b", "a.s", shortcut=Shortcut(source="p", value=70), residual=Residual(output="r")
            ),
            mean("r"),
        ],
    ],
)
@pytest.mark.parametrize("side", [(8, 8), (7, 9), (5, 3)], ids=str)
@pytest.mark.parametrize("config", [Config(), Config(rows=8)], ids=["R4", "R8"])
def test_what_may_stand_together(layers, side, config, check):
    """Small nets of every combination that is not refused; wide rows leave gaps in 8x8 only."""
    means = [layer for layer in layers if isinstance(layer, Mean)]
    if any(m.over_tokens and m.source == "p" for m in means) and len(layers) > 1:
        side = (8, 8)
    sizes = [8 if m.over_tokens else 8 * side[0] * side[1] for m in means]
    rng = np.random.default_rng(0)
    layers = [
        dataclasses.replace(layer, weight=rng.random(layer.weight.shape) < 0.5)
        if isinstance(layer, BinaryLayer)
        else layer
        for layer in layers
    ]
    first = dataclasses.replace(pixel(), weight=rng.integers(-9, 9, (8, 1, 3, 3)))
    net = network(
        first, *layers, sources=tuple(m.name for m in means), inputs=sum(sizes), side=side
    )
    check(net, config, random_images(net, 2))
