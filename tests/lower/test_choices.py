"""What lowering chose is told in words."""

import numpy as np

import sw
from sw.lower import choices
from tests.frontend.states import make_state


def test_choices_are_told(tmp_path):
    np.savez(tmp_path / "net.npz", **make_state(1, channels=3))
    q = sw.load(tmp_path / "net.npz", mean=0.45, std=0.2, image_size=16).lower()
    text = "\n".join(choices(q))
    layer = q.layers[0]
    assert f"fraction bits {q.frac_bits}" in text
    assert f"weights of {layer.weight_bits} bits, pixels shifted left by" in text
    assert f"centre {layer.centre[0]}, " in text
