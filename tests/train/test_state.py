"""The state of a run on disk: what it averages, what it keeps, and states that are refused."""

import dataclasses
import errno
import os

import pytest
import torch

from hw.common.errors import SpikeloomError
from sw.train import state as states
from sw.train.loop import train
from sw.train.state import Average
from tests.train.resuming import OPTIONS, TINY, interrupted, written


def test_average_is_that_of_its_formula():
    model = torch.nn.BatchNorm1d(1)
    average = Average(model, 0.5)
    assert model.num_batches_tracked is not None
    want = 1.0
    for n, value in enumerate((3.0, 5.0, -2.0, 8.0, 1.0, 1.0, 0.0, 4.0, 9.0, 2.0)):
        model.weight.data.fill_(value)
        model.num_batches_tracked.fill_(n)
        average.update(model)
        decay = min(0.5, (1 + n) / (10 + n))
        want = decay * want + (1 - decay) * value
    assert average.tensors["weight"].item() == pytest.approx(want, rel=1e-6)
    assert average.tensors["num_batches_tracked"] == 9


def test_a_full_disk_keeps_the_old_state(tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    train(OPTIONS, whole)
    path = interrupted(OPTIONS, parts)
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        message = r"parts\.state\.pt: cannot be written \(No space left on device\).*--resume"
        with pytest.raises(SpikeloomError, match=message):
            train(OPTIONS, parts, resume=True)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob("parts*")) == ["parts.state.pt"]
    train(OPTIONS, parts, resume=True)
    assert written(parts) == written(whole)


def test_states_of_other_runs_are_refused(tmp_path):
    out = tmp_path / "a.safetensors"
    path = interrupted(OPTIONS, out)
    before = path.read_bytes()
    changes = {
        "rounded: 1 -> 2": {"rounded": 2},
        "images: 130 -> 120": {"images": 120},
        "ema: 0.0 -> 0.5": {"ema": 0.5},
        "precision: 'float32' -> 'float16'": {"precision": "float16"},
        "embed_dim: 8 -> 16": {"config": dataclasses.replace(TINY, embed_dim=16)},
    }
    for words, change in changes.items():
        with pytest.raises(SpikeloomError, match=rf"with other options \({words}\); give the"):
            train(dataclasses.replace(OPTIONS, **change), out, resume=True)
    assert path.read_bytes() == before


def test_states_of_another_number_of_processes_are_refused(tmp_path, monkeypatch):
    out = tmp_path / "a.safetensors"
    interrupted(OPTIONS, out)
    real = states.torch.load

    def of_two(*args, **rest):
        state = real(*args, **rest)
        return state | {"random": state["random"] * 2}

    monkeypatch.setattr(states.torch, "load", of_two)
    with pytest.raises(SpikeloomError, match=r"a run of 2 processes, not 1; start as many"):
        train(OPTIONS, out, resume=True)


def test_states_that_are_damaged_are_refused(tmp_path):
    out = tmp_path / "a.safetensors"
    path = interrupted(OPTIONS, out)
    whole = path.read_bytes()
    kept = torch.load(path, weights_only=True)
    for content in (b"", b"damaged", whole[: len(whole) // 2], whole[:-1000]):
        path.write_bytes(content)
        with pytest.raises(SpikeloomError, match=r"cannot be read \(\w+\); delete it"):
            train(OPTIONS, out, resume=True)
    torch.save([1, 2], path)
    with pytest.raises(SpikeloomError, match=r"cannot be read \(\w+\); delete it"):
        train(OPTIONS, out, resume=True)
    torch.save({"format": 1}, path)
    with pytest.raises(SpikeloomError, match="has state format 1, wanted 2; delete it"):
        train(OPTIONS, out, resume=True)
    torch.save(kept, path)
    assert train(OPTIONS, out, resume=True) is not None
