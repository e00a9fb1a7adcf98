"""Training of Q-SNNs in the common loop, their compact checkpoints, and the command line."""

import dataclasses
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import sw
from hw.common.errors import SpikeloomError
from sw import families
from sw.data import load_digits
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.options import BestformerOptions
from sw.families.learner import Hooks
from sw.families.qsnn import training
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.layers import (
    ScaledBinaryConv2d,
    binarise,
    compact_weights,
    sharpness,
    standardise,
    zero_weights,
)
from sw.families.qsnn.model import Qsnn
from sw.families.qsnn.options import QsnnOptions
from sw.train import __main__, loop
from sw.train.arguments import default, flag, model_options, run_options
from sw.train.checkpoint import checkpoint_tensors, load_checkpoint, save_checkpoint
from sw.train.learner import make_learner
from sw.train.loop import train
from sw.train.schedule import learning_rate

SHIPPED = Path(__file__).resolve().parents[2] / "sw" / "shipped"
TINY = QsnnConfig(widths=(4, 8), blocks=(1, 1), height=8, width=8)
OPTIONS = QsnnOptions(config=TINY, epochs=3, batch=32, seed=7, validation=30)


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
        def loss(self, x, labels, progress):
            value = super().loss(x, labels, progress)
            ts = {m.t for m in self.model.modules() if isinstance(m, ScaledBinaryConv2d)}
            seen.append((ts, self.optimiser))
            return value

    def half_of(logits, labels, trace, rate_weight, *, label_smoothing):
        assert (rate_weight, label_smoothing) == (0.25, 0.125)
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


def test_option_mistakes():
    with pytest.raises(SpikeloomError, match=r"rate_weight is -1, wanted 0 or more; .*--rate-w"):
        dataclasses.replace(OPTIONS, rate_weight=-1)
    with pytest.raises(SpikeloomError, match="epochs is 0, wanted 1 or more; change --epochs"):
        dataclasses.replace(OPTIONS, epochs=0)
    with pytest.raises(SpikeloomError, match=r"configuration of a Q-SNN, .*use QsnnOptions"):
        make_learner(BestformerOptions(config=TINY))


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


@pytest.mark.parametrize("shape", [(40, 3, 3, 3), (9, 16, 1, 1), (6, 64, 3, 3)])
def test_compact_weights_keep_signs_and_scales(shape):
    torch.manual_seed(0)
    # Powers of a Gaussian: the higher, the heavier the tails and the smaller the scale.
    gaussian = torch.randn(shape)
    scales = set()
    for power in (0.2, 1.0, 2.0, 3.0):
        weight = gaussian.sign() * gaussian.abs() ** power
        compact = compact_weights(weight)
        assert compact is not None
        assert compact.dtype == torch.int8
        got = binarise(compact.float(), 1.0)
        assert torch.equal(got, binarise(weight, 1.0))
        scales |= set(got.abs().flatten().tolist())
        margin = torch.log2(standardise(compact.float()).abs().flatten(1).mean(1))
        assert (margin - margin.round()).abs().max() < 0.4  # no rounding decides the scale
    assert {0.5, 1.0} <= scales


def test_weights_that_have_no_compact_form():
    assert compact_weights(torch.ones(2, 4, 1, 1)) is None  # no signs
    assert compact_weights(torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1)) is None  # one of zero
    spike = torch.randn(1, 512, 3, 3) * 1e-3
    spike[0, 0] = 100.0  # a scale of 1/16 or less
    assert compact_weights(spike) is None or torch.equal(
        binarise(compact_weights(spike).float(), 1.0), binarise(spike, 1.0)
    )


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


def test_help_states_the_defaults_of_both_families(capsys):
    with pytest.raises(SystemExit) as stop:
        __main__.run(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: bestformer 0.03, qsnn 0.1)" in text
    assert "(default: 16 32 64)" in text
    for family, options in (("bestformer", BestformerOptions()), ("qsnn", QsnnOptions())):
        family = families.named(family, "")
        for option in (*model_options(family), *run_options(family)):
            settled = ("size", "channels", "classes")  # by the data set
            if option.name in settled:
                assert default(family, option) is None
            else:
                holder = options if hasattr(options, option.name) else options.config
                got = getattr(holder, option.name)
                assert default(family, option) == (None if got == "" else got), option.name
            assert flag(option.name) in text


def test_every_field_has_an_option():
    for family, options in (("bestformer", BestformerOptions()), ("qsnn", QsnnOptions())):
        fields = {f.name for o in (options, options.config) for f in dataclasses.fields(o)}
        found = families.named(family, "")
        own = {o.name for o in (*model_options(found), *run_options(found))}
        fixed = {"config", "height", "width"}
        if family == "qsnn":  # it has no second head to teach
            fixed |= {"teacher", "teacher_epochs"}
        assert fields - fixed == own - {"size"}


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--model qsnn --heads 2 --depth 1", "--depth, --heads given, which --model qsnn does not"),
        ("--membrane-bits 4", "--membrane-bits given, which --model bestformer does not have"),
        ("--rate-weight 0.1", "--rate-weight given, .*leave it out, or choose another --model"),
        ("--model qsnn --widths 4 8", "Q-SNN configuration: blocks is .1, 1, 1., wanted 2 numbers"),
        ("--model qsnn --alpha 0", "alpha is 0.0, wanted a number above 0"),
    ],
)
def test_command_line_mistakes(words, message):
    with pytest.raises(SpikeloomError, match=message):
        __main__.run(words.split())


@pytest.mark.parametrize("words", ["--model vgg", "--model qsnn --alpha x", "--membrane-bits 3"])
def test_command_line_usage(words, capsys):
    with pytest.raises(SystemExit) as stop:
        __main__.run(words.split())
    assert stop.value.code == 2
    assert re.search("invalid|is not a scale or 'batch', wanted", capsys.readouterr().err)
