"""What the torch models of all families have in common: normalised images, their shape, units."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hw.common.errors import SpikeloomError
from sw.nn.network import Network, Summing

CONFIG = SimpleNamespace(channels=2, height=3, width=5, steps=4, mean=(0.25, 0.5), std=(0.5, 0.125))


def test_images_are_normalised_by_channel():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 2, 3, 5), dtype=np.uint8)
    got = Network(CONFIG).normalise(torch.from_numpy(pixels))
    assert got.dtype == torch.float32
    mean = np.array([0.25, 0.5], np.float32)[:, None, None]
    std = np.array([0.5, 0.125], np.float32)[:, None, None]
    want = (pixels.astype(np.float32) / np.float32(255) - mean) / std
    np.testing.assert_array_equal(got.numpy(), want)


def test_normalisation_is_no_part_of_the_state_dict_and_follows_the_network():
    model = Network(CONFIG)
    assert model.state_dict() == {}
    assert {b.dtype for b in model.double().buffers()} == {torch.float64}


@pytest.mark.parametrize("shape", [(1, 2, 3, 5), (7, 2, 3, 5), (7, 4, 2, 3, 5)])
def test_images_that_fit(shape):
    assert Network(CONFIG).check_images(torch.zeros(shape)) is None


@pytest.mark.parametrize(
    "shape",
    [(7, 2, 5, 3), (7, 3, 3, 5), (7, 3, 2, 3, 5), (7, 2, 4, 3, 5), (2, 3, 5), (7, 4, 2, 3, 6)],
)
def test_images_that_do_not_fit(shape):
    class Named(Network):
        title = "Some"

    with pytest.raises(SpikeloomError) as error:
        Named(CONFIG).check_images(torch.zeros(shape))
    assert str(error.value) == (
        f"Some input: shape {shape}, wanted (B, 2, 3, 5) or (B, 4, 2, 3, 5); resize the images or "
        "change the configuration"
    )


def test_a_family_must_say_how_it_computes():
    model = Network(CONFIG)
    with pytest.raises(NotImplementedError):
        model.mean_logits(torch.zeros(1, 2, 3, 5))
    with pytest.raises(NotImplementedError):
        model.give_pixels(None)  # type: ignore[arg-type]


def test_sums_are_of_the_streams_units_unless_a_module_says_others():
    module = Summing()
    assert module.rounding is None
    assert module.sum_units(64.0) == 64.0
