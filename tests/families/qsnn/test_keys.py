"""Names and sizes of Q-SNN state dicts: aliases, and every fault of keys and shapes."""

import numpy as np
import pytest

import sw
from sw.families.qsnn.keys import Residual, Vgg, canonical, unify

torch = pytest.importorskip("torch")
from tests.families.qsnn.files import IMAGES, TOLD, npz, refuse  # noqa: E402
from tests.frontend.qsnn_states import residual_state, vgg_state, with_aliases  # noqa: E402


def test_each_tensor_under_any_one_of_its_names(tmp_path, want):
    """Containers that keep shared tensors once may keep any of the names."""
    full = with_aliases(residual_state())
    last = {}
    for key, value in full.items():
        last[canonical(key)] = key, value
    net = sw.load(npz(tmp_path, dict(last.values())), **TOLD)
    assert "conv1.weight" not in dict(last.values())
    np.testing.assert_array_equal(net.run(IMAGES).logits, want)


def test_aliases_that_differ_are_refused(tmp_path):
    state = with_aliases(residual_state())
    alias = "layer1.0.conv2_s.bn.seqbn.module.bias"
    state[alias] = state[alias] + 1
    message = refuse(npz(tmp_path, state), "not a complete Q-SNN state dict", **TOLD)
    assert f"{alias} differs from layer1.0.bn2.bn.bias" in message


def test_all_missing_unexpected_and_misshaped_keys_in_one_message(tmp_path):
    state = residual_state()
    del state["layer2.0.conv2.weight"], state["layer2.0.downsample.bn.bn.bias"]
    del state["fc.ops.bias"]
    state["extra.weight"] = np.ones(3, np.float32)
    state["layer1.0.bn1.bn.bias"] = np.ones(3, np.float32)
    message = refuse(npz(tmp_path, state), "state dict")  # before any setting is asked for
    for part in (
        "missing layer2.0.conv2.weight, wanted (8, 8, 3, 3)",
        "missing layer2.0.downsample.bn.bn.bias, wanted (8,)",
        "missing fc.ops.bias",
        "unexpected extra.weight (3,)",
        "layer1.0.bn1.bn.bias is (3,), wanted (4,)",
    ):
        assert part in message


def test_wild_numbers_in_keys(tmp_path):
    for key in ("layer999999999.0.conv1.weight", "layer1.999999999.conv1.weight"):
        state = {**residual_state(), key: np.ones((4, 4, 3, 3), np.float32)}
        assert f"unexpected {key}" in refuse(npz(tmp_path, state), "state dict")


def test_missing_blocks_and_stages(tmp_path):
    state = {k: v for k, v in residual_state().items() if not k.startswith("layer1.")}
    assert "missing layer1.0.conv1.weight" in refuse(npz(tmp_path, state), "state dict")
    state = {k: v for k, v in residual_state().items() if not k.startswith("layer2.0.")}
    assert "missing layer2.0.conv1.weight" in refuse(npz(tmp_path, state), "state dict")


def test_wrong_kernels(tmp_path):
    state = residual_state(stem=5)
    state["layer1.0.conv1.weight"] = np.ones((4, 4, 1, 1), np.float32)
    message = refuse(npz(tmp_path, state), "conv1.weight is 5x5, wanted 3x3 or 7x7")
    assert "layer1.0.conv1.weight is (4, 4, 1, 1), wanted (4, 4, 3, 3)" in message


@pytest.mark.parametrize("key", ["conv1.weight", "layer1.0.conv1.weight", "fc.ops.weight"])
def test_flat_and_empty_tensors(tmp_path, key):
    for shape in ((), (0,), (2, 0, 3, 3), (4,)):
        state = {**residual_state(), key: np.ones(shape, np.float32)}
        assert key in refuse(npz(tmp_path, state), "state dict")


def test_wrong_vgg(tmp_path):
    state = vgg_state()
    refuse(npz(tmp_path, state), "strides has 2 values, the network 3", strides=(1, 2), **TOLD)
    gap = {k.replace("features.4", "features.6"): v for k, v in state.items()}
    refuse(npz(tmp_path, gap), "nothing under features.3 to features.5", **TOLD)
    state["classifier.module.weight"] = np.ones((5, 33), np.float32)
    refuse(npz(tmp_path, state), "33 values, which are no whole number of pixels", **TOLD)
    del state["features.2.fwd.module.0.bias"]
    refuse(npz(tmp_path, state), "missing features.2.fwd.module.0.bias", **TOLD)


def test_kernels_of_a_vgg():
    state = vgg_state()
    assert Vgg(state).kernel == 3
    convs = {k: v for k, v in state.items() if v.ndim == 4}
    narrow = {**state, **{k: v[:, :, :1, :1] for k, v in convs.items()}}
    found = Vgg(narrow)
    assert (found.kernel, found.faults(), found.misshaped()) == (1, [], {})
    first, *others = convs
    one = {**state, first: narrow[first]}  # all have that of the first
    assert set(Vgg(one).misshaped()) == set(others)
    wide = {k: np.pad(v, ((0, 0), (0, 0), (1, 1), (1, 1))) for k, v in convs.items()}
    assert Vgg({**state, **wide}).faults() == [f"{first} is 5x5, wanted 1x1 or 3x3"]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("conv1_s.layer.module.weight", "conv1.weight"),
        ("layer1.0.conv2_s.layer.module.weight", "layer1.0.conv2.weight"),
        ("layer1.0.conv2_s.bn.seqbn.module.bias", "layer1.0.bn2.bn.bias"),
        ("layer1.0.bn2.seqbn.module.running_var", "layer1.0.bn2.bn.running_var"),
        ("layer1.0.downsample.layer.module.weight", "layer1.0.downsample.layer.module.weight"),
        ("fc.ops.bias", "fc.ops.bias"),
    ],
)
def test_names_of_one_tensor(key, name):
    assert canonical(key) == name
    assert canonical(name) == name


def test_sizes_of_a_residual_net():
    found = Residual(residual_state(channels=2, widths=(4, 8), blocks=(1, 2), first=4))
    assert (found.blocks, found.widths, found.kernel, found.stem) == ([1, 2], [4, 8], 3, 4)
    assert (found.channels, found.classes) == (2, 5)
    assert found.projected == {"layer1.0": False, "layer2.0": True, "layer2.1": False}
    assert found.sizes() == {
        "variant": "resnet",
        "stem": "3x3 to 4",
        "blocks": [1, 2],
        "widths": [4, 8],
    }
    assert found.faults() == []
    assert found.misshaped() == {}
    steps = {stem: found.stride(stem) for stem in found.projected}
    assert steps == {"layer1.0": 1, "layer2.0": 2, "layer2.1": 1}
    wider = Residual(residual_state(widths=(6, 8), blocks=(1, 1), first=4))
    assert wider.projected == {"layer1.0": True, "layer2.0": True}


def test_sizes_of_a_vgg_net():
    found = Vgg(vgg_state(widths=(4, 8, 8), pixels=4, channels=2))
    assert (found.channels, found.classes, found.widths) == (2, 5, [4, 8, 8])
    assert found.features == 32
    sizes = {"variant": "vgg", "widths": [4, 8, 8], "average_pools": 2, "last_pixels": 4}
    assert found.sizes() == sizes
    assert (found.indices, found.pooled) == ([0, 2, 4], [False, True, True])
    plain = Vgg(vgg_state(pooled=False))
    assert plain.indices == [0, 1, 2]
    assert plain.pooled == [False] * 3


def test_the_first_name_of_a_tensor_stays_and_equal_ones_go():
    value = np.ones(3)
    one, faults = unify({"conv1_s.layer.module.weight": value, "conv1.weight": value.copy()})
    assert list(one) == ["conv1.weight"]
    assert one["conv1.weight"] is value
    assert faults == []
    _, faults = unify({"conv1.weight": value, "conv1_s.layer.module.weight": value + 1})
    assert faults == [
        "conv1_s.layer.module.weight differs from conv1.weight, the same tensor under another name"
    ]
