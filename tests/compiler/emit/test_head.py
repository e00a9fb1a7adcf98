"""The instruction of the last layer."""

import dataclasses

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.isa import Dest, Op
from sw.testing import random_images, random_network
from tests.compiler.emit.made import code, mapped, number
from tests.compiler.nets import conv, mean, network, pixel


@pytest.mark.parametrize("sources", [("head2.mean",), ("head.mean",), ("head2.mean", "head.mean")])
def test_heads_may_read_the_means_in_any_order(sources, small, check):
    net = random_network(1, **small)
    *layers, first, second, head = net.layers
    means = [m for m in (second, first) if m.name in sources]
    size = small["dim"] * len(sources)
    head = dataclasses.replace(head, sources=sources, weight=head.weight[:, :size])
    check(net.replace(layers=(*layers, *means, head)), Config(), random_images(net, 1))


def test_instruction():
    """21 classes of 20 features, which take two column tiles; the image lies elsewhere."""
    net = network(pixel(), conv("a", "p", out=20), mean("a.s"), inputs=20, side=(5, 6))
    weight = np.arange(21 * 20).reshape(21, 20) - 200
    bias = np.arange(21) - 10
    head = dataclasses.replace(net.head, weight=weight, bias=bias, shift=7, weight_bits=12)
    mapper = mapped(net.replace(classes=21, layers=(*net.layers[:-1], head)))
    label, i = code(mapper)["logits"]
    assert (label.tensor, label.kind, label.shape) == ("logits", "values", (21,))
    assert [i.count(level) for level in ("k", "dx", "dy", "t", "x", "y", "j", "h")] == [
        *(32, 1, 1),
        *(1, 1, 1, 2, 1),
    ]
    assert (i.op, i.row_base, i.row_k, i.row_j) == (Op.MAC, 0, 1, 0)
    assert (i.col_base, i.col_k, i.col_j) == (mapper.constants.weights["logits"], 1, 32)
    assert (i.dest, i.w_base, i.w_j, i.slots, i.lanes) == (Dest.PIX, 32, 16, 1, 5)
    assert (i.shift, i.theta, i.tile_min) == (1, 0, 16)
    assert (i.par_base, i.par_j, i.n_par) == (mapper.constants.params["logits"], 2, 2)
    for n in range(21):
        tile, lane = divmod(n, 16)
        assert number(mapper, lane, i.par_base + 2 * tile, 32) == n - 10
        got = [number(mapper, lane, i.col_base + 32 * tile + k, 18) for k in range(32)]
        assert got == [*weight[n].tolist(), *12 * [0]]


def test_weights_of_single_tokens():
    """Features lie token by token, 16 places each; weights come channel by channel."""
    net = network(
        pixel(), conv("a", "p"), mean("a.s", over_tokens=False), inputs=8 * 6, side=(2, 3)
    )
    weight = np.arange(2 * 48).reshape(2, 48) + 1
    head = dataclasses.replace(net.head, weight=weight, weight_bits=12)
    mapper = mapped(net.replace(layers=(*net.layers[:-1], head)))
    base = mapper.constants.weights["logits"]
    features = mapper.place.residuals.feature_count
    assert features == 8 * 16  # of 2 groups of 4 tokens, of which 6 are tokens
    for n in range(2):
        got = np.array([number(mapper, n, base + k, 18) for k in range(features)]).reshape(8, 16)
        np.testing.assert_array_equal(got[:6, :8], weight[n].reshape(8, 6).T)
        assert not got[6:].any()
        assert not got[:, 8:].any()
