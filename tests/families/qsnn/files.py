"""Files of Q-SNN weights, and what loading them says."""

import json

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from tests.frontend.qsnn_states import residual_state

TOLD = {"steps": 2, "membrane_bits": 4, "mean": 0.0, "std": 1.0}
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)


def npz(tmp_path, state, name="net.npz", side=None):
    path = tmp_path / name
    np.savez(path, **state)
    if side is not None:
        path.with_suffix(".json").write_text(json.dumps(side), encoding="utf-8")
    return path


def refuse(path, match, **options):
    with pytest.raises(SpikeloomError, match=match) as caught:
        sw.load(path, **options)
    assert len(str(caught.value).splitlines()) <= 20
    return str(caught.value)


@pytest.fixture
def want(tmp_path):
    """Logits of the small residual net."""
    return sw.load(npz(tmp_path, residual_state(), "want.npz"), **TOLD).run(IMAGES).logits
