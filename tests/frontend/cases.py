"""Checkpoints as users have them, saved by torch."""

import json

import numpy as np
import pytest

from tests.frontend.states import make_state

torch = pytest.importorskip("torch")

SIDE = {"mean": [0.5], "std": [0.5], "image_size": [16, 16]}


def frames_logits(net):
    shape = (4, net.channels, 16, 16)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return net.run(images).logits


def save(path, state, side=SIDE):
    (path.parent / (path.name.split(".")[0] + ".json")).write_text(json.dumps(side), "utf-8")
    torch.save(state, path)
    return path


def tensors(seed=0, **options):
    return {k: torch.from_numpy(np.asarray(v)) for k, v in make_state(seed, **options).items()}
