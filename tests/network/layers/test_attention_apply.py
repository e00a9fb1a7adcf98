"""Maps times the third operand: shapes, bounds and sums of both orders."""

import dataclasses

import numpy as np
import pytest

from hw.arch import isa
from hw.common.errors import SpikeloomError
from sw.network import AttentionApply, Neuron
from tests.network.handmade import Naive, affine, ranges, shapes, written

RNG = np.random.default_rng(4)
QK = {"v": (6, 2, 5), "m": (3, 10, 10)}
KV = {"v": (6, 2, 5), "m": (3, 2, 2)}


def layer(order="qk", **changes):
    fields = {"heads": 3, "affine": affine(2, 3), "neuron": Neuron(name="o", theta=1)}
    return AttentionApply(name="apply", map="m", source="v", order=order, **fields | changes)


def test_names():
    assert layer().reads() == ("v", "m")
    assert layer().writes() == ("o",)
    assert layer().tokens() == ("v", "o")


@pytest.mark.parametrize(("order", "read", "largest"), [("qk", QK, 10), ("kv", KV, 2)])
def test_the_operand_keeps_its_shape(order, read, largest):
    assert written(layer(order), read) == {"o": (6, 2, 5)}
    assert layer(order).largest_sum(shapes(read)) == largest


@pytest.mark.parametrize(
    ("made", "read", "message"),
    [
        (layer(), KV, r"m has shape \(3, 2, 2\), wanted \(3, 10, 10\)"),
        (layer("kv"), QK, r"m has shape \(3, 10, 10\), wanted \(3, 2, 2\)"),
        (layer(heads=5), QK, "6 channels do not divide into 5 heads"),
        (layer("qq"), QK, "order must be qk or kv, not 'qq'"),
        (layer(affine=affine(1, 3)), QK, r"factor has shape \(1, 3\), wanted \(2, 3\)"),
        (
            layer(affine=dataclasses.replace(affine(2, 3), bias=np.zeros((2, 1), int))),
            QK,
            r"bias has shape \(2, 1\), wanted \(2, 3\)",
        ),
    ],
)
def test_wrong_shapes(made, read, message):
    with pytest.raises(SpikeloomError, match=f"layer here: {message}"):
        made.shapes(shapes(read))


def test_heads_that_an_instruction_counts():
    most = isa.BY_NAME["n_h"].most
    for heads in (most, most + 1):
        made = layer("kv", heads=heads, affine=affine(2, heads))
        ask = ranges(made, {"v": (heads, 1, 1), "m": (heads, 1, 1)})
        if heads == most:
            made.bounds(ask)
            continue
        with pytest.raises(SpikeloomError, match=f"heads is {heads} to .*, wanted 1 to {most}"):
            made.bounds(ask)


@pytest.mark.parametrize("order", ["qk", "kv"])
def test_sums_and_spikes(order):
    """S[n, c] = sum_m A[n, m] v[m, c], or S[n, j] = sum_i q[n, i] A[i, j]; scales by step, head."""
    read = QK if order == "qk" else KV
    v = RNG.integers(0, 2, (2, 2, 6, 2, 5))
    bits = RNG.integers(0, 2, (2, 2, *read["m"]))
    factor = np.array([[16, -16, 0], [32, 16, 48]])
    made = layer(order, affine=dataclasses.replace(affine(2, 3), factor=factor))
    sums = made.sums(Naive(), {"v": v, "m": bits})
    assert sums.shape == (2, 2, 3, 2, 10)
    membrane, fired = np.zeros((2, 6, 10), int), np.zeros((2, 2, 6, 10), int)
    for t in range(2):
        for b in range(2):
            for h in range(3):
                rows = v[t, b, 2 * h : 2 * h + 2].reshape(2, 10).T  # (N, d)
                a = bits[t, b, h]
                want = a @ rows if order == "qk" else rows @ a
                assert sums[t, b, h].tolist() == want.T.tolist()
                at = slice(2 * h, 2 * h + 2)
                u = (membrane[b, at] + (factor[t, h] * want.T >> 4)) >> 1
                fired[t, b, at] = u >= 1
                membrane[b, at] = np.where(u >= 1, 0, u)
    got = made.golden(Naive(), {"v": v, "m": bits})["o"]
    assert got.shape == v.shape
    assert got.reshape(fired.shape).tolist() == fired.tolist()
    assert 0 < fired.mean() < 1
