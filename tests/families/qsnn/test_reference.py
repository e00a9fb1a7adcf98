"""Random Q-SNN nets against models.md written once more in plain torch."""

import numpy as np
import pytest

import sw

pytest.importorskip("torch")
from tests.frontend.qsnn_states import (
    reference,
    residual_state,
    vgg_state,
    with_aliases,
)

MEAN, STD = (0.4, 0.5), (0.2, 0.25)


def compare(tmp_path, state, size, *, bits, alpha=1.0, frames=1, strides=None, stored=None):
    np.savez(tmp_path / "net.npz", **(stored or state))
    options = {"mean": MEAN, "std": STD, "steps": 3, "membrane_bits": bits, "alpha": alpha}
    net = sw.load(tmp_path / "net.npz", strides=strides, **options)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (4, frames, 2, *size), dtype=np.uint8)
    given = images[:, 0] if frames == 1 else images
    names = [n.name for n in net.nodes if n.name.endswith(("act", "lif1", "lif2"))]
    head = net.nodes[-2].name
    got = net.run(given, trace=[*names, head], batch=4)
    repeated = np.repeat(images, 3 // frames, axis=1)
    logits, spikes = reference(
        state, repeated, bits=bits, alpha=alpha, strides=strides, mean=MEAN, std=STD
    )
    assert names == list(spikes)
    for name, want in spikes.items():
        assert 0.01 < want.mean() < 0.9, f"{name} tells nothing at rate {want.mean()}"
        np.testing.assert_array_equal(got.trace[name], want, name)
    np.testing.assert_allclose(got.trace[head], logits, atol=1e-4)
    np.testing.assert_allclose(got.logits, logits.mean(0), atol=1e-4)


@pytest.mark.parametrize("alpha", [1.0, 0.6, "batch"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_residual_net(tmp_path, bits, alpha):
    """Not square, odd sides, identity and projection shortcuts, negative BatchNorm scales."""
    state = residual_state(5, channels=2, widths=(4, 8, 12), blocks=(2, 1, 2))
    compare(tmp_path, state, (11, 6), bits=bits, alpha=alpha, stored=with_aliases(state))


@pytest.mark.parametrize("frames", [1, 3], ids=["image", "frames"])
def test_residual_net_with_wide_stem(tmp_path, frames):
    """ResNet-18: 7x7 stride 2, max-pool, four stages; another first width than the stem's."""
    state = residual_state(2, stem=7, channels=2, widths=(6, 8, 8, 16), blocks=(2, 2, 1, 1))
    compare(tmp_path, state, (37, 50), bits=4, frames=frames)


@pytest.mark.parametrize("frames", [1, 3], ids=["image", "frames"])
def test_vgg_with_average_pools(tmp_path, frames):
    """Quarters at the second and later layers; odd sides round down."""
    state = vgg_state(3, pixels=3 * 2)
    compare(tmp_path, state, (13, 11), bits=8, frames=frames)


def test_vgg_with_pools_after_some_layers(tmp_path):
    state = {}
    for key, value in vgg_state(4, widths=(4, 6, 6, 8), pooled=False, pixels=6).items():
        index = key.split(".")[1]
        moved = {"0": "0", "1": "1", "2": "3", "3": "4"}  # one pool, at 2
        state[key.replace(f"features.{index}.", f"features.{moved.get(index)}.", 1)] = value
    compare(tmp_path, state, (4, 6), bits=4)


@pytest.mark.parametrize("strides", [(1, 2, 1, 2), (2, 2, 1, 1), (1, 1, 2, 2)])
def test_vgg_with_strides(tmp_path, strides):
    state = vgg_state(6, widths=(4, 6, 6, 8), pooled=False, pixels=3 * 2)
    compare(tmp_path, state, (11, 7), bits=2, strides=strides)
