"""Torch files: damage is found, and nothing in them is executed."""

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.frontend import torch_file
from tests.frontend.checkpoints import refuse

torch = pytest.importorskip("torch")
from tests.frontend.cases import save, tensors  # noqa: E402


def test_truncated_torch_file(tmp_path):
    path = tmp_path / "net.pt"
    torch.save({"a": torch.ones(1000)}, path)
    data = path.read_bytes()
    for cut in (0, 5, len(data) // 2):
        path.write_bytes(data[:cut])
        refuse(path, "truncated or of another kind")


class _Surprise:
    """A pickle that would call something."""

    def __reduce__(self):
        return print, ("executed",)


def test_pickles_are_not_executed(tmp_path, capsys):
    torch.save({"state_dict": _Surprise()}, tmp_path / "net.pt")
    refuse(tmp_path / "net.pt", "not readable as a torch file of weights only")
    np.savez(tmp_path / "net.npz", a=np.array([_Surprise()], dtype=object))
    refuse(tmp_path / "net.npz", "not readable as an npz archive")
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("bit", [9, 200, 3000, 60_000, 150_000])
def test_damage_in_a_torch_file_is_found(bit, tmp_path):
    path = save(tmp_path / "net.pt", tensors())
    data = bytearray(path.read_bytes())
    data[bit // 8 + 400] ^= 1 << bit % 8
    path.write_bytes(data)
    try:
        net = sw.load(path)
    except SpikeloomError:
        return
    plain = tensors()["head.weight"].numpy()  # a bit of no meaning
    np.testing.assert_array_equal(next(n for n in net.nodes if n.name == "head").weight, plain)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_whatever_does_not_act_is_read(tmp_path, legacy):
    held = {
        "w": torch.arange(6.0).view(2, 3),
        "curve": np.arange(3.0),
        "best": np.float64(0.5),
        "args": argparse.Namespace(steps=2),
        "list": [1, "two", None],
    }
    path = tmp_path / "net.pt"
    torch.save(held, path, _use_new_zipfile_serialization=not legacy)
    got = torch_file.read(path)
    assert torch.equal(got["w"], held["w"])
    assert got["curve"].tolist() == [0, 1, 2]
    assert (got["best"], got["args"].steps, got["list"]) == (0.5, 2, [1, "two", None])


def test_sizes_that_are_out_of_proportion(tmp_path, monkeypatch):
    path = tmp_path / "net.pt"
    torch.save({"w": torch.zeros(50_000)}, path)
    torch_file.read(path)
    with monkeypatch.context() as patch:
        patch.setattr(torch_file, "FREE", 0)
        patch.setattr(torch_file, "RATIO", 0)
        with pytest.raises(SpikeloomError, match=r"members take \d+ bytes unpacked, the file \d+"):
            torch_file.read(path)
    with monkeypatch.context() as patch:
        patch.setattr(torch_file, "MAX_PICKLE", 10)
        with pytest.raises(SpikeloomError, match=r"data\.pkl has \d+ bytes"):
            torch_file.read(path)
    with monkeypatch.context() as patch:
        patch.setattr(torch_file, "MAX_OPS", 10)
        with pytest.raises(SpikeloomError, match="more than 10 operations to describe"):
            torch_file.read(path)
    torch.save({"w": torch.zeros(50_000)}, path, _use_new_zipfile_serialization=False)
    monkeypatch.setattr(torch_file, "FREE", 49_999)
    monkeypatch.setattr(torch_file, "RATIO", 0)
    with pytest.raises(SpikeloomError, match=r"a storage of 50000 numbers in a file of \d+"):
        torch_file.read(path)
    monkeypatch.setattr(torch_file, "FREE", 50_000)
    assert torch_file.read(path)["w"].shape == (50_000,)


def test_missing_torch_names_the_cure(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SpikeloomError, match=r"reading \.ckpt files needs torch; pip install -e"):
        torch_file.read(tmp_path / "a.ckpt")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_floats_of_any_width_are_of_32_bits(dtype):
    tensor = torch.tensor([1.5, -2.0, 3.0], dtype=getattr(torch, dtype), requires_grad=True)
    got = torch_file.array(Path("a.pt"), "w", tensor)
    assert (got.dtype, got.tolist()) == (np.float32, [1.5, -2, 3])


def test_other_numbers_stay_as_they_are():
    for tensor in (torch.tensor([1, -2]), torch.tensor([True, False]), torch.tensor([1 + 2j])):
        got = torch_file.array(Path("a.pt"), "w", tensor)
        assert got.tolist() == tensor.tolist()
        assert got.dtype.kind in "ibc"
    turned = torch.tensor([1 + 2j]).conj()
    assert torch_file.array(Path("a.pt"), "w", turned).tolist() == [1 - 2j]


def test_a_view_of_part_of_a_storage_is_whole():
    part = torch.arange(6.0)[2:4]
    assert torch_file.array(Path("a.pt"), "w", part).tolist() == [2, 3]
    wide = torch.zeros(3).expand(2, 3)
    with pytest.raises(SpikeloomError, match=r"of shape \[2, 3\] is an expanded view of 12"):
        torch_file.array(Path("a.pt"), "w", wide)
