"""Training of Q-SNNs in the common loop, their compact checkpoints, and the command line."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import sw
from hw.common.errors import SpikeloomError
from sw.data import load_digits
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.options import BestformerOptions
from sw.families.learner import Hooks
from sw.families.qsnn import training
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.layers import ScaledBinaryConv2d, sharpness, zero_weights
from sw.families.qsnn.model import Qsnn
from sw.families.qsnn.options import QsnnOptions
from sw.train import __main__, loop
from sw.train.checkpoint import checkpoint_tensors, load_checkpoint, save_checkpoint
from sw.train.loop import train
from sw.train.schedule import learning_rate
from tests.families.qsnn.small import OPTIONS, TINY

SHIPPED = Path(__file__).resolve().parents[3] / "sw" / "shipped"


def asked(monkeypatch, *words):
    """What a command line asks of `train`: options, path, and keyword arguments."""
    calls = []

    def train(options, out, **rest):
        calls.append((options, out, rest))
        notes = {"test_images": 360, "test_wrong": 0}
        return loop.Result(model=Qsnn(TINY), test_accuracy=1.0, notes=notes)

    monkeypatch.setattr(loop, "train", train)
    __main__.run(list(words))
    (call,) = calls
    return call


@pytest.mark.parametrize(
    "change",
    [{}, {"alpha": None, "membrane_bits": 4}, {"net": "vgg", "halve": (1,)}],
    ids=["residual", "batch alpha", "vgg"],
)
def test_resumed_run_equals_an_uninterrupted_one(few_digits, tmp_path, change):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    options = dataclasses.replace(OPTIONS, config=dataclasses.replace(TINY, **change))

    def kill(progress):
        if progress["epoch"] == 2:
            raise KeyboardInterrupt

    train(options, whole)
    with pytest.raises(KeyboardInterrupt):
        train(options, parts, report=kill)
    train(options, parts, resume=True)
    assert parts.read_bytes() == whole.read_bytes()
    sides = [path.with_suffix(".json") for path in (whole, parts)]
    notes = [json.loads(side.read_text(encoding="utf-8")) for side in sides]
    for fields in notes:
        del fields["seconds"]
    assert notes[0] == notes[1]
    assert ("batches of 128" in notes[0]["prediction"]) == (options.config.alpha is None)
    assert load_checkpoint(parts)[0].config == options.config


def test_recipe(few_digits, tmp_path, monkeypatch):
    """SGD with momentum, decay of weights alone, cosine rate, sharpening gradient, the loss."""
    seen, real = [], training.loss

    class Recorded(training.QsnnLearner):
        def loss(self, x, labels, progress, lengths=None):
            value = super().loss(x, labels, progress, lengths)
            ts = {m.t for m in self.model.modules() if isinstance(m, ScaledBinaryConv2d)}
            seen.append((ts, self.optimiser))
            return value

    def half_of(logits, labels, trace, rate_weight, *, lengths, label_smoothing):
        assert (rate_weight, label_smoothing, lengths) == (0.25, 0.125, None)
        assert len(trace) == 5
        return real(logits, labels, trace, rate_weight, label_smoothing=label_smoothing)

    monkeypatch.setattr(training, "HOOKS", Hooks(network=Qsnn, learner=Recorded))
    monkeypatch.setattr(training, "loss", half_of)
    options = dataclasses.replace(
        OPTIONS, rate_weight=0.25, label_smoothing=0.125, weight_decay=0.5, lr=0.02
    )
    model = train(options, tmp_path / "a.safetensors").model
    assert [ts for ts, _ in seen] == [{sharpness(i / 6)} for i in range(6)]  # 2 batches an epoch
    optimiser = seen[0][1]
    assert isinstance(optimiser, torch.optim.SGD)
    decayed, free = optimiser.param_groups
    assert {g["momentum"] for g in optimiser.param_groups} == {0.9}
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.5, 0.0)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim == 1 for p in free["params"])
    assert len(decayed["params"]) + len(free["params"]) == len(list(model.parameters()))
    assert decayed["lr"] == pytest.approx(0.0)  # the end of the cosine
    assert learning_rate(options, 1.5) == pytest.approx(0.01)


def test_checkpoint_loads_everywhere(few_digits, tmp_path):
    out = tmp_path / "small.safetensors"
    result = train(dataclasses.replace(OPTIONS, epochs=1), out, compact=True)
    model, fields = load_checkpoint(out)
    assert model.config == TINY
    assert fields["model"] == "qsnn"
    assert fields["test_accuracy"] == result.test_accuracy
    assert fields["training"]["rate_weight"] == OPTIONS.rate_weight
    assert list(fields["spike_rate"]) == [
        "lif1",
        "layer1.0.lif1",
        "layer1.0.lif2",
        "layer2.0.lif1",
        "layer2.0.lif2",
    ]
    net = sw.load(out)
    assert (net.name, net.steps, net.size, net.mean, net.std) == ("small", 2, (8, 8), (0,), (1,))
    images = load_digits(8).test_images[:40]
    with torch.no_grad():
        x = model.normalise(torch.from_numpy(images))
        want = result.model.mean_logits(x)
        assert torch.equal(model.mean_logits(x), want)
    np.testing.assert_allclose(net.run(images).logits, want.numpy(), rtol=0, atol=1e-5)


def test_resuming_a_run_of_the_other_family_is_refused(few_digits, tmp_path):
    out = tmp_path / "a.safetensors"

    def kill(progress):
        if progress["epoch"]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(OPTIONS, out, report=kill)
    other = BestformerOptions(config=BestformerConfig(height=8, width=8), validation=30)
    with pytest.raises(SpikeloomError, match=r"other options .*model: 'qsnn' -> 'bestformer'"):
        train(other, out, resume=True)
    rate = dataclasses.replace(OPTIONS, rate_weight=0.0)
    with pytest.raises(SpikeloomError, match=r"other options \(rate_weight: 0.005 -> 0.0\)"):
        train(rate, out, resume=True)


def test_weights_without_a_sign_are_found(few_digits, tmp_path, monkeypatch):
    model = Qsnn(TINY)
    assert zero_weights(model) == {}
    with torch.no_grad():
        model.get_parameter("layer1.0.conv1.weight")[1] = 0.5  # no deviation
        model.get_parameter("layer2.0.conv2.weight")[0] = torch.arange(72.0).view(8, 3, 3) % 3
    assert zero_weights(model) == {"layer1.0.conv1": 36, "layer2.0.conv2": 24}
    monkeypatch.setattr(training, "zero_weights", lambda _: {"layer1.0.conv1": 36})
    with pytest.raises(SpikeloomError, match=r"exactly 0 for .*layer1\.0\.conv1.*another --seed"):
        train(dataclasses.replace(OPTIONS, epochs=1), tmp_path / "a.safetensors")


@pytest.mark.parametrize("net", ["resnet", "vgg"])
def test_compact_checkpoint_is_the_same_network(tmp_path, net):
    torch.manual_seed(0)
    config = QsnnConfig(net=net, widths=(8, 16), blocks=(1, 1), halve=(1,), height=8, width=8)
    model = Qsnn(config)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, ScaledBinaryConv2d):
                module.weight[::2] **= 3  # of scale 1/2
        x = torch.rand(16, 1, 8, 8)
        for _ in range(20):
            model(x)  # settles the BatchNorms
        want = model.eval()(x)
    tensors = checkpoint_tensors(model, compact=True)
    whole = {name for name, t in tensors.items() if t.dtype == torch.int8}
    assert whole == {k for k, t in tensors.items() if t.ndim == 4 and t.shape[1] > 1}
    for compact in (False, True):
        path = tmp_path / f"{compact}.safetensors"
        save_checkpoint(model, path, compact=compact)
        with torch.no_grad():
            assert torch.equal(load_checkpoint(path)[0](x), want)
    pixels = load_digits(8).test_images[:20]
    logits = [sw.load(tmp_path / f"{c}.safetensors").run(pixels).logits for c in (False, True)]
    np.testing.assert_array_equal(*logits)


@pytest.mark.parametrize("name", ["digits", "digits-qsnn"])
def test_the_shipped_networks_command_still_means_their_run(monkeypatch, name):
    fields = json.loads((SHIPPED / f"{name}.json").read_text(encoding="utf-8"))
    words = fields["command"].split()
    assert words[:3] == ["python", "-m", "sw.train"]
    options, out, rest = asked(monkeypatch, *words[3:])
    assert fields["training"].items() <= options.to_json().items()
    plain = type(options.config)().to_json()  # an older file says nothing of newer fields
    assert options.config.to_json() == {k: fields.get(k, v) for k, v in plain.items()}
    assert out == Path("sw/shipped") / f"{name}.safetensors"
    assert rest["compact"] == fields["compact"]
    assert not rest["resume"]


def test_command_line(few_digits, tmp_path, capsys, monkeypatch):
    words = (
        "--model qsnn --size 8 --widths 4 8 --blocks 1 1 --steps 1 --membrane-bits 4 --epochs 1 "
        f"--batch 20 --rate-weight 0.01 --mean 0.5 --out {tmp_path / 'a.safetensors'} --compact"
    ).split()
    monkeypatch.setattr(sys, "argv", ["train", *words])
    assert __main__.main() == 1
    assert "do not fill a batch of 20; lower --validation" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["train", *words, "--validation", "10"])
    assert __main__.main() == 0
    assert "of 40 wrong" in capsys.readouterr().out
    fields = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert (fields["membrane_bits"], fields["widths"], fields["mean"]) == (4, [4, 8], [0.5])
    assert sw.load(tmp_path / "a.safetensors").steps == 1


def test_command_line_of_a_vgg_net(monkeypatch):
    words = "--model qsnn --net vgg --widths 4 6 --halve 1 --downsampling stride --alpha batch"
    options, out, rest = asked(monkeypatch, *words.split(), "--resume")
    assert options == QsnnOptions(
        config=QsnnConfig(net="vgg", widths=(4, 6), halve=(1,), downsampling="stride", alpha=None)
    )
    assert out == Path("build/train/digits-qsnn.safetensors")
    assert rest["resume"]
    plain, out, _ = asked(monkeypatch)
    assert plain == BestformerOptions()
    assert out == Path("build/train/digits-bestformer.safetensors")
