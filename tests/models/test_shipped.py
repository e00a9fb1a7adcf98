"""The networks in sw/shipped are what their JSON files say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import sw
from sw.data import load_digits
from sw.models.checkpoint import load_checkpoint
from sw.models.qsnn_layers import binarise
from sw.train.loop import evaluate

SHIPPED = Path(__file__).resolve().parents[2] / "sw" / "shipped"
LEAST = {"digits": 0.986, "digits-qsnn": 0.975}  #: Accuracy on the test split.


def weights(name):
    return load_file(SHIPPED / f"{name}.safetensors")


def test_all_are_known():
    assert {path.stem for path in SHIPPED.iterdir()} == set(LEAST)


@pytest.mark.parametrize("name", list(LEAST))
def test_accuracy_and_spike_rates(name):
    model, fields = load_checkpoint(SHIPPED / f"{name}.safetensors")
    digits = load_digits(model.config.height)
    accuracy, rates = evaluate(model, digits.test_images, digits.test_labels)
    assert accuracy >= LEAST[name]
    assert accuracy == pytest.approx(fields["test_accuracy"], abs=1.5 / 360)  # one float32 tie
    assert rates.keys() == fields["spike_rate"].keys()
    for neuron, wanted in fields["spike_rate"].items():
        assert rates[neuron] == pytest.approx(wanted, abs=1e-3), neuron
        assert max(wanted) > 0, f"{neuron} never fires"


def test_qsnn_by_its_name():
    net = sw.load("digits-qsnn")
    model, fields = load_checkpoint(SHIPPED / "digits-qsnn.safetensors")
    assert (net.name, net.steps, net.size, net.classes) == ("digits-qsnn", 2, (16, 16), 10)
    assert (fields["membrane_bits"], fields["alpha"], fields["widths"]) == (8, 1.0, [16, 32, 64])
    digits = load_digits(16)
    with torch.no_grad():
        want = model.mean_logits(model.normalise(torch.from_numpy(digits.test_images))).numpy()
    got = net.run(digits.test_images)
    np.testing.assert_allclose(got.logits, want, rtol=0, atol=1e-4)
    accuracy = (got.predictions == digits.test_labels).mean()
    assert accuracy == pytest.approx(fields["test_accuracy"], abs=1.5 / 360)


def test_binary_layers_are_stored_as_signs():
    tensors = weights("digits")
    signs = {k for k, v in tensors.items() if v.dtype == "int8"}
    assert {k for k, v in tensors.items() if v.ndim > 1} - signs == {
        "patch_embed.block0_conv.weight",
        "block.0.attn.lambda_attn",
        "block.1.attn.lambda_attn",
        "head.weight",
        "head2.weight",
    }
    assert all(set(tensors[k].flatten().tolist()) == {-1, 1} for k in signs)


def test_scaled_binary_layers_are_stored_as_small_integers():
    tensors = weights("digits-qsnn")
    whole = {k for k, v in tensors.items() if v.dtype == "int8"}
    real = {k for k, v in tensors.items() if v.ndim > 1} - whole
    assert real == {"conv1.weight", "fc.ops.weight"}
    for key in whole:
        w = torch.from_numpy(tensors[key])
        assert torch.equal(binarise(w.float(), 1.0).sign(), w.sign().float()), key
    assert (SHIPPED / "digits-qsnn.safetensors").stat().st_size < 120_000
