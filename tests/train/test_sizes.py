"""Any data set and size trains by one command, over many short runs: colour and event data."""

import json

import numpy as np
import pytest

from sw.data import DataSet
from sw.train import __main__


def made(name, shape, classes, n=48):
    """Images whose class is how bright they are, all over."""
    rng = np.random.default_rng(0)

    def split(count):
        labels = np.arange(count) % classes
        bright = (labels * (200 // classes)).reshape(-1, *[1] * len(shape))
        return (bright + rng.integers(0, 40, (count, *shape))).astype(np.uint8), labels

    train, test = split(n), split(20)
    return DataSet(
        name=name,
        train_images=train[0],
        train_labels=train[1],
        test_images=test[0],
        test_labels=test[1],
        classes=tuple(map(str, range(classes))),
        split="made up",
    )


@pytest.fixture
def cifar(monkeypatch):
    data = made("cifar10", (3, 32, 32), 10)
    monkeypatch.setattr("sw.train.data.load", lambda name, size, *_, **__: data)


SIZES = {
    "bestformer": "--embed-dim 16 --depth 1 --heads 2 --mlp-ratio 1 --steps 2 --warmup 0 --lr 0.01",
    "deeper": "--embed-dim 8 --depth 2 --heads 2 --mlp-ratio 1 --steps 1 --warmup 0 --attention kv",
    "qsnn": "--model qsnn --widths 4 8 --blocks 1 1 --membrane-bits 2",
}


@pytest.mark.parametrize("size", list(SIZES))
def test_cifar10_over_many_short_runs_equals_one_run(cifar, tmp_path, size, capsys):
    common = f"--data cifar10 --batch 8 --epochs 2 --rounded 1 --validation 8 {SIZES[size]}"
    words = common.split()
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    assert __main__.run([*words, "--log", "", "--out", str(whole)]) == 0
    status = []
    while not status or status[-1] == __main__.UNFINISHED:
        limit = ["--minutes", "1e-9"]  # one step each
        status.append(__main__.run([*words, "--log", "", "--out", str(parts), *limit]))
    assert len(status) == 2 * 5 + 1  # five batches of eight an epoch
    assert status[-1] == 0
    assert parts.read_bytes() == whole.read_bytes()
    assert "the same command goes on" in capsys.readouterr().out
    fields = json.loads(whole.with_suffix(".json").read_text(encoding="utf-8"))
    assert (fields["channels"], fields["height"], fields["classes"]) == (3, 32, 10)
    assert (fields["data"], fields["test_images"]) == ("cifar10", 20)
    assert __main__.run([*words, "--log", "", "--out", str(parts), "--minutes", "1"]) == 0
    assert "this run is through" in capsys.readouterr().out


def test_event_data_bring_a_frame_per_step(monkeypatch, tmp_path):
    data = made("n-mnist", (3, 2, 36, 36), 10)
    asked = []

    def load(name, size, data_dir, *, steps):
        asked.append((name, size, steps))
        return data

    monkeypatch.setattr("sw.train.data.load", load)
    out = tmp_path / "a.safetensors"
    words = (
        "--data n-mnist --size 36 --steps 3 --embed-dim 8 --depth 1 --heads 1 --mlp-ratio 1 "
        "--epochs 1 --rounded 1 --warmup 0 --batch 8 --validation 8 --log"
    ).split()
    assert __main__.run([*words, "", "--out", str(out)]) == 0
    assert asked == [("n-mnist", 36, 3)]
    assert json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["channels"] == 2
