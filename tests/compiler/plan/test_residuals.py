"""Buffers of residual memory, membranes in it, and means."""

import dataclasses

import numpy as np
import pytest

from hw.arch import SpikeloomError
from hw.arch.config import Config
from sw.compiler import compile_network, fit_config
from sw.network import Residual
from sw.testing import random_network, random_residual_network
from tests.compiler.nets import STATE, conv, mean, network, pixel, projected, refused


def test_third_residual_is_refused(small):
    """The first residual is read by a mean at the end: three would have to live at once."""
    net = random_network(1, **small | {"depth": 2})
    n = next(i for i, layer in enumerate(net.layers) if layer.name == "head.mean")
    mean = dataclasses.replace(net.layers[n], source="patch_embed.block4_bn")
    net = net.replace(layers=(*net.layers[:n], mean, *net.layers[n + 1 :]))
    with pytest.raises(SpikeloomError, match="needs a third residual buffer"):
        compile_network(net)


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
