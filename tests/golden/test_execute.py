"""Packed kernels, plain kernels and a naive dense implementation give the same integers."""

import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN
from hw.common.errors import SpikeloomError
from sw.testing import random_images, random_network
from tests import networks
from tests.golden.equal import check_all_equal

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = networks.SMALL | {"width": 12, "steps": 3, "classes": 4}


@st.composite
def network_sizes(draw):
    order, similarity = draw(st.sampled_from([("qk", "and"), ("qk", "xnor"), ("kv", "and")]))
    return {
        "height": draw(st.integers(4, 20)),
        "width": draw(st.integers(4, 20)),
        "channels": draw(st.integers(1, 3)),
        "dim": draw(st.sampled_from([8, 16, 24, 40, 72])),
        "depth": draw(st.integers(1, 2)),
        "heads": draw(st.sampled_from([1, 2, 4, 8])),
        "mlp_ratio": draw(st.integers(1, 3)),
        "steps": draw(st.integers(1, 4)),
        "order": order,
        "similarity": similarity,
        "variant": draw(st.sampled_from(["cifar", "imagenet"])),
        "classes": draw(st.integers(1, 11)),
        "per_step_input": draw(st.booleans()),
    }


@given(seed=st.integers(0, 10_000), sizes=network_sizes())
@settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
def test_packed_plain_and_naive_are_equal(seed, sizes):
    network = random_network(seed, **sizes)
    check_all_equal(network, random_images(network, 3, seed))


@pytest.mark.parametrize("value", [0, 255], ids=["black", "white"])
def test_corner_images(value):
    network = random_network(3, **SMALL)
    check_all_equal(network, np.full((2, 1, 8, 12), value, dtype=np.uint8))


def test_canonical_shapes():
    network = random_network(1, **SMALL)
    trace = network.run(random_images(network, 5), trace=True).trace
    assert trace["patch_embed.block1_lif"].shape == (3, 5, 2, 8, 12)
    assert trace["patch_embed.block4_pool"].shape == (3, 5, 16, 2, 3)
    assert trace["block.0.attn.q_lif"].shape == (3, 5, 16, 6)
    assert trace["block.0.attn.attn_lif"].shape == (3, 5, 16, 6)
    assert trace["block.0.attn.attn_lif0"].shape == (3, 5, 2, 6, 6)
    assert trace["block.0.x3"].shape == (3, 5, 16, 2, 3)
    assert trace["head.mean"].shape == (5, 16)
    network = random_network(1, **{**SMALL, "order": "kv"})
    trace = network.run(random_images(network, 5), trace=True).trace
    assert trace["block.0.attn.attn_lif0"].shape == (3, 5, 2, 8, 8)


def test_image_is_repeated_over_steps():
    still = random_network(2, **SMALL)
    images = random_images(still, 4)
    frames = np.repeat(images[:, None], still.steps, axis=1)
    moving = still.replace(per_step_input=True)
    np.testing.assert_array_equal(still.run(images).logits, moving.run(frames).logits)


def test_each_step_reads_its_own_frame():
    network = random_network(2, **{**SMALL, "per_step_input": True})
    images = random_images(network, 4)
    assert (network.run(images).logits != network.run(images[:, ::-1].copy()).logits).any()


def test_single_images_equal_a_batch():
    network = random_network(4, **SMALL)
    images = random_images(network, 5)
    alone = [network.run(images[i : i + 1]).logits for i in range(5)]
    np.testing.assert_array_equal(np.concatenate(alone), network.run(images, batch=3).logits)


def test_numba_may_be_missing():
    """Without numba the numpy kernels run; asking for numba names the cure."""
    code = f"""
import sys
sys.modules["numba"] = None
from hw.common.errors import SpikeloomError
from sw.testing import random_images, random_network
network = random_network(4, **{SMALL!r})
images = random_images(network, 3)
print(network.run(images).logits.tolist())
try:
    network.run(images, kind="numba")
except SpikeloomError as error:
    print(error)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    network = random_network(4, **SMALL)
    want = network.run(random_images(network, 3)).logits.tolist()
    assert done.stdout == f"{want}\nThe numba kernels need numba; pip install numba\n"


def test_unknown_kernels_are_refused():
    network = random_network(4, **SMALL)
    with pytest.raises(SpikeloomError, match="kernels must be auto"):
        network.run(random_images(network, 1), kind="cuda")


def test_fed_tensors_replace_computed_ones():
    network = random_network(6, **SMALL)
    images = random_images(network, 3)
    plain = network.run(images, trace=True)
    feed = {"block.0.attn.q_lif": np.zeros_like(plain.trace["block.0.attn.q_lif"])}
    fed = network.run(images, trace=True, feed=feed)
    assert not fed.trace["block.0.attn.attn_lif0"].any()
    assert plain.trace["block.0.attn.attn_lif0"].any()
    np.testing.assert_array_equal(
        fed.trace["block.0.attn.q_lif"], plain.trace["block.0.attn.q_lif"]
    )


def test_saturation_clips_and_never_wraps():
    network = random_network(0, **SMALL)
    index = next(i for i, la in enumerate(network.layers) if getattr(la, "residual", None))
    affine = network.layers[index].affine
    loud = networks.edited(
        network,
        index,
        affine=type(affine)(factor=np.sign(affine.factor) * 131071, bias=affine.bias * 0, shift=4),
    )
    images = random_images(loud, 3)
    stream = loud.run(images, trace=True).trace[network.layers[index].residual.output]
    assert stream.max() == MEMBRANE_MAX
    assert stream.min() == MEMBRANE_MIN
    check_all_equal(loud, images)


def test_whole_digits_set_within_five_seconds():
    from sw.data import load_digits

    digits = load_digits(16)
    images = np.concatenate([digits.train_images, digits.test_images])
    network = random_network(0, **networks.MNIST | {"height": 16, "width": 16})
    network.run(images[:2])  # compiles or loads the kernels
    start = time.process_time()
    network.run(images)
    assert time.process_time() - start < 5
