"""BESTformer checkpoints, and what loading them says."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

import sw
from hw.common.errors import SpikeloomError

NORM = {"mean": 0.0, "std": 1.0}


def write(tmp_path, state, name="net.npz", side=None):
    path = tmp_path / name
    if name.endswith(".npz"):
        np.savez(path, **state)
    else:
        save_file({k: np.ascontiguousarray(v) for k, v in state.items()}, path)
    if side is not None:
        path.with_suffix(".json").write_text(json.dumps(side), encoding="utf-8")
    return path


def logits(net):
    return net.lower(size=(8, 8)).run(np.full((1, 8, 8), 99, dtype=np.uint8)).logits


def refuse(path, match, **options):
    with pytest.raises(SpikeloomError, match=match) as caught:
        sw.load(path, **{**NORM, **options})
    assert len(str(caught.value).splitlines()) <= 20
    return str(caught.value)
