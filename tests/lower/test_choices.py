"""What lowering chose is told in words."""

import dataclasses

import numpy as np
import pytest

import sw
from sw.lower import choices
from sw.network import PixelConv
from tests.frontend.states import make_state


def test_choices_are_told(tmp_path):
    np.savez(tmp_path / "net.npz", **make_state(1, channels=3))
    q = sw.load(tmp_path / "net.npz", mean=0.45, std=0.2, image_size=16).lower()
    text = "\n".join(choices(q))
    layer = q.layers[0]
    assert f"fraction bits {q.frac_bits}" in text
    assert f"weights of {layer.weight_bits} bits, pixels shifted left by" in text
    assert f"centre {layer.centre[0]}, " in text


def test_every_choice_is_a_line(tmp_path):
    np.savez(tmp_path / "net.npz", **make_state(1, channels=2))
    q = sw.load(tmp_path / "net.npz", mean=(0.4, 0.5), std=0.2, image_size=16).lower()
    (first,) = [layer for layer in q.layers if isinstance(layer, PixelConv)]
    fixed = dataclasses.replace(
        first, weight_bits=18, pixel_shift=3, centre=(7, -9), shift=10, weight=first.weight * 0
    )
    dead = {"a": [1, 5], "b": [0]}
    meta = {**q.meta, "frac_bits": {"bits": 12, "why": "given"}, "dead_channels": dead}
    q = q.replace(layers=(fixed, *q.layers[1:]), meta=meta)
    assert choices(q) == [
        "fraction bits 12 (given)",
        "first layer: weights of 18 bits, pixels shifted left by 3, centre 7, -9, sums shifted "
        "right by 10",
        "last layer: weights of 8 bits",
        "dead channels of a, scales clamped: 1, 5",
        "dead channels of b, scales clamped: 0",
    ]


@pytest.mark.parametrize("meta", [{}, {"frac_bits": {}}, {"frac_bits": "made by hand"}])
def test_no_reason_where_none_is_noted(meta, tmp_path):
    np.savez(tmp_path / "net.npz", **make_state(1))
    q = sw.load(tmp_path / "net.npz", mean=0.4, std=0.2, image_size=16).lower()
    assert choices(q.replace(meta=meta))[0] == "fraction bits 12"
