"""Instructions of attention maps times the third operand."""

import dataclasses

import numpy as np
import pytest

from hw.arch import SpikeloomError
from sim.interpreter.addresses import offsets
from sw.compiler import compile_network
from sw.testing import random_network
from tests.compiler.emit.made import code, fields, mapped, number
from tests.compiler.nets import attention, conv, mean, network, refused

LEVELS = ("k", "dx", "dy", "t", "x", "y", "j", "h")


def test_bias_that_differs_by_step_is_refused(small):
    net = random_network(1, **small)
    n = next(i for i, layer in enumerate(net.layers) if layer.name.endswith("apply"))
    layer = net.layers[n]
    bias = layer.affine.bias + np.arange(net.steps)[:, None]
    layer = dataclasses.replace(layer, affine=dataclasses.replace(layer.affine, bias=bias))
    net = net.replace(layers=(*net.layers[:n], layer, *net.layers[n + 1 :]))
    with pytest.raises(SpikeloomError, match="bias must be the same at every step"):
        compile_network(net)


def test_map_meets_values():
    """QK order: rows are tokens of the map, columns channels of v, words hold 20 tokens."""
    mapper = mapped(network(*attention(), side=(4, 5)))
    label, i = code(mapper)["apply"]
    assert (label.tensor, label.shape, label.head_width) == ("o", (8, 4, 5), 4)
    assert [i.count(level) for level in LEVELS] == [1, 1, 1, 2, 5, 1, 1, 2]
    row, col = offsets(i, "row"), offsets(i, "col")
    assert (row["t"][1], row["x"][1], row["h"][1]) == (2, 4, 1)
    assert (col["t"][1], col["h"][1]) == (1, 2)
    base = mapper.place.base
    assert (i.row_base, i.col_base, i.w_base) == (base["m"], base["v.s"], base["o"])
    assert fields(i, "img_w", "row_gs", "lanes", "factor_per_step", "n_par", "par_h", "flat") == {
        "img_w": 20,
        "row_gs": 4,
        "lanes": 4,
        "factor_per_step": 1,
        "n_par": 3,
        "par_h": 3,
        "flat": 1,
    }
    assert ("apply", 8 * 20 * 20 * 2) in mapper.ops


def test_queries_meet_map():
    """KV order: rows are queries, columns the map's, words hold a head's 4 channels."""
    mapper = mapped(network(*attention(order="kv"), side=(4, 5)))
    _, i = code(mapper)["apply"]
    assert [i.count(level) for level in LEVELS] == [1, 1, 1, 2, 5, 1, 1, 2]
    row, col = offsets(i, "row"), offsets(i, "col")
    assert (row["t"][1], row["x"][1], row["h"][1]) == (2, 4, 1)
    assert (col["t"][1], col["h"][1]) == (2, 1)
    base = mapper.place.base
    assert (i.row_base, i.col_base, i.w_base) == (base["q.s"], base["m"], base["o"])
    assert ("apply", 8 * 20 * 4 * 2) in mapper.ops


def test_factor_of_each_step_and_head():
    factor = np.array([[3, -4], [5, 6]])  # by step, then head
    bias = np.array([[70, -80], [70, -80]])
    layers = attention()
    affine = dataclasses.replace(layers[5].affine, factor=factor, bias=bias)
    layers[5] = dataclasses.replace(layers[5], affine=affine)
    mapper = mapped(network(*layers, side=(4, 5)))
    _, i = code(mapper)["apply"]
    for head in range(2):
        at = i.par_base + 3 * head
        assert number(mapper, 0, at, 32) == number(mapper, 15, at, 32) == bias[0, head]
        assert [number(mapper, 0, at + 1 + t, 18) for t in (0, 1)] == factor[:, head].tolist()


def test_spikes_lie_head_by_head():
    """20 channels in 2 heads of 10: heads begin at the bits 0 and 16 of a token's words."""
    parts = {name: conv(name, "p", out=20, size=1) for name in "qkv"}
    layers = [*attention(**parts)[:-2], conv("z", "o", 20, size=1), mean("z.s")]
    layout = mapped(network(*layers, side=(4, 5))).place.layouts["o"]
    assert layout.position.tolist() == [*range(10), *range(16, 26)]
    assert (layout.words, layout.flat, layout.head_words) == (1, True, 0)


def test_output_for_an_image():
    layers = [*attention()[:-2], conv("z", "o"), mean("z.s")]
    refused(network(*layers, side=(4, 5)), "the output of attention must feed 1x1 layers")
