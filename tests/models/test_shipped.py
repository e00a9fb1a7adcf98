"""The network in sw/shipped is what its JSON file says."""

from pathlib import Path

import pytest
from safetensors.numpy import load_file

from sw.data import load_digits
from sw.models.checkpoint import load_checkpoint
from sw.train.loop import evaluate

SHIPPED = Path(__file__).resolve().parents[2] / "sw" / "shipped" / "digits.safetensors"


def test_accuracy_and_spike_rates():
    model, fields = load_checkpoint(SHIPPED)
    digits = load_digits(model.config.height)
    accuracy, rates = evaluate(model, digits.test_images, digits.test_labels)
    assert accuracy >= 0.986
    assert accuracy == pytest.approx(fields["test_accuracy"], abs=1.5 / 360)  # one float32 tie
    for name, wanted in fields["spike_rate"].items():
        assert rates[name] == pytest.approx(wanted, abs=1e-3), name
        assert max(wanted) > 0, f"{name} never fires"


def test_binary_layers_are_stored_as_signs():
    tensors = load_file(SHIPPED)
    signs = {k for k, v in tensors.items() if v.dtype == "int8"}
    assert {k for k, v in tensors.items() if v.ndim > 1} - signs == {
        "patch_embed.block0_conv.weight",
        "block.0.attn.lambda_attn",
        "block.1.attn.lambda_attn",
        "head.weight",
        "head2.weight",
    }
    assert all(set(tensors[k].flatten().tolist()) == {-1, 1} for k in signs)
