"""What the phases of a run compute: averaged weights, half precision, rounding, the last signs."""

import dataclasses

import numpy as np
import pytest
import torch

import sw
from sw.families.bestformer.training import BestformerLearner
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.options import QsnnOptions
from sw.train import loop, run
from sw.train.loop import train
from sw.train.state import Average, state_path
from tests.train.phases import OPTIONS

BATCHES = 3  #: Of an epoch: 100 images.
QSNN = QsnnOptions(
    config=QsnnConfig(widths=(4, 8), blocks=(1, 1), height=8, width=8, membrane_bits=4),
    epochs=3,
    rounded=1,
    batch=32,
    seed=7,
    validation=30,
    images=130,
)
ROUNDED = {"bestformer": dataclasses.replace(OPTIONS, rounded=1, ema=0.9), "qsnn": QSNN}
rounded = pytest.mark.parametrize("options", ROUNDED.values(), ids=list(ROUNDED))


def measured(monkeypatch, note):
    """What ``note`` gives of every (model, images) that is measured from now on."""
    seen, real = [], loop.evaluate

    def evaluate(model, images, labels, **lengths):
        seen.append(note(model, images))
        return real(model, images, labels, **lengths)

    for module in (loop, run):
        monkeypatch.setattr(module, "evaluate", evaluate)
    return seen


def parameters(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def same(a, b):
    return all(torch.equal(t, b[name]) for name, t in a.items())


def test_the_average_is_measured_and_becomes_the_network(tmp_path, monkeypatch):
    plain = train(OPTIONS, tmp_path / "plain.safetensors")
    averages, own = [], []
    update = Average.update

    def noted(self, model):
        update(self, model)
        averages.append({name: t.clone() for name, t in self.tensors.items()})
        own.append(parameters(model))

    monkeypatch.setattr(Average, "update", noted)
    seen = measured(monkeypatch, lambda model, _: parameters(model))
    result = train(dataclasses.replace(OPTIONS, ema=0.9), tmp_path / "a.safetensors")
    assert plain is not None
    assert result is not None
    assert len(averages) == BATCHES * OPTIONS.epochs
    # three validations, then the finished network on both splits
    wanted = [*averages[BATCHES - 1 :: BATCHES], averages[-1], averages[-1]]
    assert [same(a, b) for a, b in zip(seen, wanted, strict=True)] == [True] * 5
    assert not same(seen[-1], own[-1])
    # what is updated is not what is averaged: training goes as without
    assert same(own[-1], parameters(plain.model))
    losses = [[h["loss"] for h in r.notes["history"]] for r in (plain, result)]
    assert losses[0] == losses[1]


def test_statistics_are_measured_anew_on_the_averaged_weights(tmp_path):
    result = train(dataclasses.replace(OPTIONS, ema=0.9), tmp_path / "a.safetensors")
    assert result is not None
    norms = [m for m in result.model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    for norm in norms:
        assert norm.num_batches_tracked == BATCHES  # of training batches, each once
        assert norm.momentum == 0.1


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_products_are_of_the_precision_until_rounding_begins(tmp_path, monkeypatch, precision):
    seen, real = [], BestformerLearner.loss

    def loss(self, *args):
        on = torch.is_autocast_enabled("cpu")
        seen.append(torch.get_autocast_dtype("cpu") if on else torch.float32)
        return real(self, *args)

    monkeypatch.setattr(BestformerLearner, "loss", loss)
    options = dataclasses.replace(OPTIONS, rounded=1, precision=precision)
    train(options, tmp_path / "a.safetensors")
    wanted = getattr(torch, precision)
    assert seen == [wanted] * BATCHES * 2 + [torch.float32] * BATCHES


@rounded
def test_what_the_rounded_epochs_measure_the_checkpoint_computes(tmp_path, monkeypatch, options):
    """Every spike of the last validation is that of the integer network of the file."""

    def note(model, images):
        trace = {}
        with torch.no_grad():
            training = model.training
            model.eval().mean_logits(model.normalise(torch.from_numpy(images)), trace)
            model.train(training)
        on = any(getattr(m, "rounding", None) is not None for m in model.modules())
        return on, images, trace

    made, hardware = [], run.Hardware

    def make(*args):
        made.append(hardware(*args))
        return made[-1]

    monkeypatch.setattr(run, "Hardware", make)
    seen = measured(monkeypatch, note)
    out = tmp_path / "a.safetensors"
    train(options, out)
    assert [on for on, *_ in seen] == [False, False, True, False, False]
    _, images, trace = seen[2]
    network = sw.load(out).lower(frac_bits=made[0].frac_bits, size=(8, 8))
    want = network.run(images, trace=True).trace
    assert set(trace) <= set(want)
    for name, spikes in trace.items():
        got = spikes.numpy().astype(np.uint8)
        assert np.array_equal(got, want[name].reshape(got.shape)), name
    assert sum(t.any() for t in trace.values()) > len(trace) / 2


@rounded
def test_statistics_stand_still_while_rounding(tmp_path, monkeypatch, options):
    seen, refresh = [], run.Hardware.refresh

    def noted(self):
        seen.append({n: b.clone() for n, b in self.model.named_buffers() if "running" in n})
        return refresh(self)

    monkeypatch.setattr(run.Hardware, "refresh", noted)
    result = train(dataclasses.replace(options, rounded=2), tmp_path / "a.safetensors")
    assert result is not None
    # when it is made, then before each batch and to validate
    assert len(seen) == 1 + 2 * (BATCHES + 1)
    final = dict(result.model.named_buffers())
    assert all(torch.equal(b, final[n]) for n, b in seen[0].items())
    assert seen[0]


def test_fraction_bits_of_the_state_are_gone_on_with(tmp_path):
    out, steps = tmp_path / "a.safetensors", []

    def pause():
        steps.append(0)
        return len(steps) in (BATCHES * 2 + 1, BATCHES * 2 + 2)

    options = ROUNDED["bestformer"]
    assert train(options, out, pause=pause) is None
    state = torch.load(state_path(out), weights_only=True)
    bits = state["place"]["frac_bits"]
    state["place"]["frac_bits"] = bits - 1  # as after weights that had grown
    torch.save(state, state_path(out))
    assert train(options, out, pause=pause, resume=True) is None
    assert torch.load(state_path(out), weights_only=True)["place"]["frac_bits"] == bits - 1
