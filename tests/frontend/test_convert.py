"""Checkpoints written once more, and what is told of them."""

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.frontend.convert import convert, describe
from tests.fixtures import FIXTURES
from tests.frontend.same import same
from tests.frontend.states import make_state

pytest.importorskip("torch")


def test_bestformer_options(tmp_path):
    np.savez(tmp_path / "net.npz", **make_state())
    options = {"similarity": "xnor", "map_theta": 3.0, "mean": 0.5, "std": 0.5, "name": "mine"}
    net, out = convert(tmp_path / "net.npz", tmp_path / "out.safetensors", **options)
    same(sw.load(out), net)
    shown = describe(net)
    for line in ("blocks           1, of 16 channels", "heads            2", "steps            3"):
        assert line in shown


def test_wrong_outputs(tmp_path):
    source = FIXTURES / "q8.weights.npz"
    with pytest.raises(SpikeloomError, match=r"wanted '\.safetensors'"):
        convert(source, tmp_path / "out.npz")
    convert(source, tmp_path / "a.safetensors")
    with pytest.raises(SpikeloomError, match="is the checkpoint itself"):
        convert(tmp_path / "a.safetensors", tmp_path / "a.safetensors")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SpikeloomError, match="cannot be written"):
        convert(source, tmp_path / "file" / "b.safetensors")
