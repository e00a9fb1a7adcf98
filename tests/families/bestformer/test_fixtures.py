"""Equality with what the authors' code computed from trained networks."""

import json

import numpy as np
import pytest
import torch

from sw.data import load_digits
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import Bestformer
from tests.fixtures import FIXTURES

ATTENTION = {"best_digits": "qk", "best_kv_a": "kv"}  #: Of each BESTformer among them.


def fixture_config(name: str) -> BestformerConfig:
    """Configuration of the fixture."""
    fields = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    hp = fields["hp"]
    return BestformerConfig(
        variant=fields.get("variant", "cifar"),
        attention=ATTENTION[name],
        height=hp["img_size_h"],
        width=hp["img_size_w"],
        channels=hp["in_channels"],
        classes=hp["num_classes"],
        embed_dim=hp["embed_dims"],
        depth=hp["depths"],
        heads=hp["num_heads"],
        mlp_ratio=hp["mlp_ratios"],
        steps=hp["T"],
        mean=fields["mean"],
        std=fields["std"],
    )


def fixture_arrays(name: str, part: str) -> dict[str, np.ndarray]:
    """Arrays of ``name.part.npz``."""
    with np.load(FIXTURES / f"{name}.{part}.npz") as arrays:
        return dict(arrays)


def fixture_model(name: str) -> Bestformer:
    """The fixture's network in evaluation mode."""
    model = Bestformer(fixture_config(name))
    weights = fixture_arrays(name, "weights")
    model.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
    return model.eval()


each = pytest.mark.parametrize("name", list(ATTENTION))


@each
def test_state_dict_keys_and_shapes(name):
    own = Bestformer(fixture_config(name)).state_dict()
    weights = fixture_arrays(name, "weights")
    assert {k: tuple(v.shape) for k, v in own.items()} == {k: v.shape for k, v in weights.items()}


@each
def test_logits_over_the_test_split(name):
    model, io = fixture_model(name), fixture_arrays(name, "io")
    with torch.no_grad():
        images = torch.from_numpy(io["test_images"])[:, None]
        parts = [model(model.normalise(part)) for part in images.split(90)]
    head, head2 = (torch.cat(logits).numpy() for logits in zip(*parts, strict=True))
    np.testing.assert_allclose(head, io["test_head"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(head2, io["test_head2"], rtol=0, atol=1e-4)
    np.testing.assert_array_equal(((head + head2) / 2).argmax(1), io["test_pred"])


@each
def test_every_spike(name):
    model, io, spikes = fixture_model(name), *(fixture_arrays(name, p) for p in ("io", "spikes"))
    rows = spikes.pop("image_rows")
    trace = {}
    with torch.no_grad():
        model(model.normalise(torch.from_numpy(io["images"][rows])[:, None]), trace)
    assert trace.keys() == spikes.keys()
    for path, wanted in spikes.items():
        got = trace[path].numpy()
        assert got.shape == wanted.shape, path
        np.testing.assert_array_equal(got, wanted, err_msg=path)


@each
def test_a_frame_per_step_of_the_same_image_is_the_repeated_image(name):
    model, io = fixture_model(name), fixture_arrays(name, "io")
    with torch.no_grad():
        x = model.normalise(torch.from_numpy(io["images"][:8])[:, None])
        frames = x[:, None].expand(-1, model.config.steps, -1, -1, -1)
        for a, b in zip(model(x), model(frames), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_digits_are_the_fixtures_digits():
    fixture_config("best_digits")
    io, digits = fixture_arrays("best_digits", "io"), load_digits(16)
    np.testing.assert_array_equal(digits.train_images[:, 0], io["train_images"])
    np.testing.assert_array_equal(digits.test_images[:, 0], io["test_images"])
    np.testing.assert_array_equal(digits.train_labels, io["train_labels"])
    np.testing.assert_array_equal(digits.test_labels, io["test_labels"])


def test_larger_digits_are_the_fixtures_digits():
    fixture_config("best_kv_a")
    images = fixture_arrays("best_kv_a", "io")["test_images"]
    np.testing.assert_array_equal(load_digits(64).test_images[:, 0], images)
