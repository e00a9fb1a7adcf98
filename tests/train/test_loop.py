"""Runs, resumed ones and refused ones, on a handful of images."""

import dataclasses
import errno
import json
import os

import pytest
import torch

from hw.common.errors import SpikeloomError
from sw.data.augment import augment
from sw.train import __main__
from sw.train.loop import train
from sw.train.state import state_path
from tests.train.small import OPTIONS, TINY, files


def stop_after(epochs, error):
    """Report that raises ``error`` once ``epochs`` epochs are done."""

    def report(progress):
        if progress["epoch"] == epochs:
            raise error

    return report


def test_resumed_run_equals_an_uninterrupted_one(few_digits, tmp_path):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    seen = []
    train(OPTIONS, whole, report=seen.append)
    assert [p["epoch"] for p in seen] == [0, 1, 2, 3]
    assert all(0 <= p[k] <= 1 for p in seen[1:] for k in ("train", "validation"))
    losses = [p["loss"] for p in seen[1:]]  # as measured when the loop was written
    assert losses == pytest.approx([2.37046, 2.23709, 2.24068], rel=2e-3)
    with pytest.raises(KeyboardInterrupt):
        train(OPTIONS, parts, report=stop_after(2, KeyboardInterrupt()))
    assert files(tmp_path) == ["parts.state.pt", "whole.json", "whole.safetensors"]
    torch.rand(5)  # the caller's RNG must not matter
    resumed = []
    train(OPTIONS, parts, resume=True, report=resumed.append)
    assert [p["epoch"] for p in resumed] == [2, 3]
    assert resumed[1] == seen[3]
    assert parts.read_bytes() == whole.read_bytes()
    names = ["parts.json", "parts.safetensors", "whole.json", "whole.safetensors"]
    assert files(tmp_path) == names  # no state is left
    sides = [path.with_suffix(".json") for path in (whole, parts)]
    notes = [json.loads(side.read_text(encoding="utf-8")) for side in sides]
    for fields in notes:
        del fields["seconds"]
    assert notes[0] == notes[1]


def test_interruption_within_an_epoch_resumes_to_the_same_weights(
    few_digits, tmp_path, monkeypatch
):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    train(OPTIONS, whole)
    calls = []

    def augment_until_killed(*args):
        calls.append(args)
        if len(calls) == 4:  # the second batch of the second epoch
            raise KeyboardInterrupt
        return augment(*args)

    with monkeypatch.context() as patch:
        patch.setattr("sw.train.data.augment", augment_until_killed)
        with pytest.raises(KeyboardInterrupt):
            train(OPTIONS, parts)
    train(OPTIONS, parts, resume=True)
    assert parts.read_bytes() == whole.read_bytes()


def test_another_seed_gives_other_weights_and_the_global_rng_stays(few_digits, tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    contents = []
    for seed in (0, 1):
        out = tmp_path / f"{seed}.safetensors"
        train(dataclasses.replace(OPTIONS, epochs=1, seed=seed), out)
        contents.append(out.read_bytes())
    assert contents[0] != contents[1]
    assert torch.equal(torch.get_rng_state(), before)


def test_resuming_another_run_is_refused(few_digits, tmp_path):
    out = tmp_path / "a.safetensors"
    with pytest.raises(SpikeloomError, match=r"no state file .*a\.state\.pt"):
        train(OPTIONS, out, resume=True)
    with pytest.raises(KeyboardInterrupt):
        train(OPTIONS, out, report=stop_after(1, KeyboardInterrupt()))
    other = dataclasses.replace(
        OPTIONS, lr=1e-4, config=dataclasses.replace(TINY, heads=4, similarity="xnor")
    )
    with pytest.raises(
        SpikeloomError, match=r"other options \(.*lr: 0.\d+ -> 0.0001.*heads: 2 -> 4"
    ):
        train(other, out, resume=True)
    with pytest.raises(SpikeloomError, match=r"interrupted run's state lies beside it"):
        train(OPTIONS, out)
    state_path(out).write_bytes(b"damaged")
    with pytest.raises(SpikeloomError, match=r"state\.pt cannot be read .*delete it"):
        train(OPTIONS, out, resume=True)


def test_a_loss_that_is_no_number_stops_the_run(few_digits, tmp_path):
    with pytest.raises(SpikeloomError, match=r"the loss is (nan|inf) in epoch .*lower --lr"):
        train(dataclasses.replace(OPTIONS, lr=1e30), tmp_path / "a.safetensors")


def test_outputs_that_cannot_be_written_are_refused_before_training(few_digits, tmp_path):
    blocker = tmp_path / "file"
    blocker.touch()
    seen = []
    with pytest.raises(SpikeloomError, match="its folder cannot be written"):
        train(OPTIONS, blocker / "a.safetensors", report=seen.append)
    with pytest.raises(SpikeloomError, match=r"ends in '\.pt', wanted '\.safetensors'"):
        train(OPTIONS, tmp_path / "a.pt", report=seen.append)
    assert seen == []


@pytest.mark.parametrize("written", [".state.pt", ".json", ".safetensors"])
def test_a_full_disk_is_one_sentence_and_leaves_no_part(
    few_digits, tmp_path, capsys, monkeypatch, written
):
    replace = os.replace

    def full(source, target):
        if str(target).endswith(f"a{written}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    words = (
        "--size 8 --embed-dim 8 --depth 1 --heads 2 --mlp-ratio 1 --steps 1 --epochs 1 --batch 30 "
        f"--validation 30 --out {tmp_path / 'a.safetensors'} --log"
    ).split()
    assert __main__.main([*words, ""]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "No space left on device" in last
    assert not list(tmp_path.glob("*part*"))
    assert not list(tmp_path.glob(".*part*"))
    assert not (tmp_path / "a.safetensors").exists()
