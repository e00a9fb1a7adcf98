"""Usual normalisations on RTL: golden model, interpreter and core agree in every write."""

import numpy as np
import pytest

import sw
from sw.testing import random_images
from tests.cocotb.inference import CONFIGS, check_free
from tests.frontend.states import make_state
from tests.lower.norms import NORMS


@pytest.mark.parametrize("family", ["bestformer", "qsnn"])
def test_usual_normalisations(family, tmp_path):
    for n, (mean, std) in enumerate(NORMS.values()):
        options = {}
        if family == "bestformer":
            state, first = make_state(n, channels=len(mean)), "patch_embed.block0_conv.weight"
        else:
            pytest.importorskip("torch")
            from tests.frontend.qsnn_states import residual_state

            state, first = residual_state(n, channels=len(mean)), "conv1.weight"
            options = {"steps": 2, "membrane_bits": 8}
        state[first] = state[first] * np.float32([1 / 3, 1, 3][n % 3])
        np.savez(tmp_path / "net.npz", **state)
        net = sw.load(tmp_path / "net.npz", mean=mean, std=std, image_size=12, **options).lower()
        program = net.compile(CONFIGS["arty_a7"])
        check_free(net, program, random_images(net, 1, n))
