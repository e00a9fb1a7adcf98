"""The networks in sw/shipped are what their JSON files say."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import boards
import sw
from benchmarks.card_page import outside_core
from hw.arch.parts import fit, part
from sw.compiler import MisfitError
from sw.data import load, load_digits
from sw.families.qsnn.layers import binarise
from sw.network import BinaryLayer
from sw.train.checkpoint import load_checkpoint
from sw.train.evaluate import evaluate

SHIPPED = Path(__file__).resolve().parents[2] / "sw" / "shipped"
DIGITS = ("digits", "digits-qsnn")
#: Accuracy of the integer network on the test split.
LEAST = {
    "digits": 0.986,
    "digits-qsnn": 0.975,
    "mnist-bestformer": 0.990,
    "mnist-qsnn": 0.990,
    "mnist-tiny": 0.975,
    "mnist-wide": 0.994,
    "vowels-qsnn": 0.95,
}
POINTS = 0.1  #: Float and integer accuracy differ by at most this, or by one image.
NAMES = list(LEAST)
FIRST = 500  #: Test images that are run here; all of them by `python -m benchmarks.card`.


def weights(name):
    return load_file(SHIPPED / f"{name}.safetensors")


def fields_of(name):
    return json.loads((SHIPPED / f"{name}.json").read_text(encoding="utf-8"))


def test_all_are_known():
    found = sorted(path.name for path in SHIPPED.iterdir())
    assert found == sorted(f"{name}.{kind}" for name in NAMES for kind in ("json", "safetensors"))
    assert set(DIGITS) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_stored_figures(name):
    fields = fields_of(name)
    n, data = fields["test_images"], name.split("-")[0]
    assert (fields["data"], n) == (data, {"digits": 360, "mnist": 10_000, "vowels": 370}[data])
    assert fields["integer_test_accuracy"] >= LEAST[name]
    for kind in ("", "integer_"):
        wrong = fields[f"{kind}test_wrong"]
        assert fields[f"{kind}test_accuracy"] == pytest.approx(1 - wrong / n, abs=1e-9)
    between = abs(fields["test_wrong"] - fields["integer_test_wrong"])
    assert between <= max(1, n * POINTS / 100)
    # no more predictions differ than their share says, and as many as the errors differ by
    assert 1 - fields["equal_predictions"] >= between / n - 1e-9
    assert fields["equal_predictions"] >= 0.99
    assert fields["first_500_wrong"] <= fields["integer_test_wrong"]
    # decided on images that were neither trained on nor tested
    assert fields["validation_images"] > 0
    assert "validation: first" in fields["split"]
    assert fields["command"].startswith("python -m sw.train ")
    assert (f"--data {data}" in fields["command"]) == (data != "digits")


def test_what_the_mnist_networks_are():
    for name in {"mnist-bestformer", "mnist-qsnn", "mnist-tiny", "mnist-wide"} & set(NAMES):
        fields = fields_of(name)
        assert fields["model"] == ("bestformer" if name == "mnist-bestformer" else "qsnn")
        assert fields["height"] == fields["width"] == (14 if name == "mnist-tiny" else 28)
        if name == "mnist-qsnn":
            assert (fields["net"], fields["membrane_bits"]) == ("resnet", 2)


def test_what_the_wide_network_is():
    """One that needs a memory outside the chip: more weights than any board's core holds."""
    net = sw.load("mnist-wide").lower()
    binary = [layer for layer in net.layers if isinstance(layer, BinaryLayer)]
    assert sum(layer.weight.size for layer in binary) > 4_000_000
    core = outside_core(net)[1]
    program = net.compile(core)
    assert program.total_ops < 150_000_000
    assert program.outside.size * 32 > 4_000_000
    for name in boards.NAMES:
        with pytest.raises(MisfitError):
            net.compile(boards.get(name).config)


def test_what_the_vowels_network_is():
    """A stream that any board of this repository holds."""
    fields, net = fields_of("vowels-qsnn"), sw.load("vowels-qsnn")
    assert (fields["net"], fields["kernel"], fields["membrane_bits"]) == ("vgg", 1, 2)
    assert (net.stream, net.steps, net.size, net.channels) == (True, 29, (1, 1), 12)
    q = net.lower()
    assert q.stream
    for name in boards.NAMES:
        assert q.compile(boards.get(name).config).stream


def test_tiny_one_fits_the_part():
    target = part("ice40up5k")
    program = sw.load("mnist-tiny").lower().compile(target.config)
    assert fit(program.config, target).faults == []


@pytest.mark.parametrize("name", NAMES)
def test_first_images(name, fetched):
    """As many of the first test images are wrong as were when the card was made."""
    fields = fields_of(name)
    fetched(fields["data"])
    data = load(fields["data"], fields["height"])
    images, labels = data.test_images[:FIRST], data.test_labels[:FIRST]
    net = sw.load(name)
    assert net.meta["data"] == fields["data"]
    both = net, net.lower()
    if data.has_lengths:
        real, got = (each.run_sequences(images, data.test_lengths).predictions for each in both)
    else:
        real, got = (each.run(images).predictions for each in both)
    assert int((got != labels).sum()) == fields["first_500_wrong"]
    assert (real == got).mean() >= 0.99
    if len(labels) == fields["test_images"]:
        assert fields["first_500_wrong"] == fields["integer_test_wrong"]


@pytest.mark.parametrize("name", DIGITS)
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


@pytest.mark.parametrize("name", [n for n in NAMES if n in ("digits", "mnist-bestformer")])
def test_binary_layers_are_stored_as_signs(name):
    tensors = weights(name)
    signs = {k for k, v in tensors.items() if v.dtype == "int8"}
    assert {k for k, v in tensors.items() if v.ndim > 1} - signs == {
        "patch_embed.block0_conv.weight",
        "block.0.attn.lambda_attn",
        "block.1.attn.lambda_attn",
        "head.weight",
        "head2.weight",
    }
    assert all(set(tensors[k].flatten().tolist()) == {-1, 1} for k in signs)


@pytest.mark.parametrize(
    ("name", "multi_bit", "size"),
    [
        ("digits-qsnn", {"conv1.weight", "fc.ops.weight"}, 120_000),
        ("mnist-qsnn", {"conv1.weight", "fc.ops.weight"}, 120_000),
        ("mnist-tiny", {"features.0.fwd.module.0.weight", "classifier.module.weight"}, 20_000),
        ("mnist-wide", {"features.0.fwd.module.0.weight", "classifier.module.weight"}, 5_300_000),
        ("vowels-qsnn", {"features.0.fwd.module.0.weight", "classifier.module.weight"}, 10_000),
    ],
)
def test_scaled_binary_layers_are_stored_as_small_integers(name, multi_bit, size):
    if name not in NAMES:
        pytest.skip(f"{name} is not shipped yet")
    tensors = weights(name)
    whole = {k for k, v in tensors.items() if v.dtype == "int8"}
    real = {k for k, v in tensors.items() if v.ndim > 1} - whole
    assert real == multi_bit
    for key in whole:
        w = torch.from_numpy(tensors[key])
        assert torch.equal(binarise(w.float(), 1.0).sign(), w.sign().float()), key
    assert (SHIPPED / f"{name}.safetensors").stat().st_size < size
