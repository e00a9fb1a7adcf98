"""Containers, settings and every message of ``sw.load`` for Q-SNN."""

import argparse

import numpy as np
import pytest
from safetensors.numpy import save_file

import sw
from hw.common.errors import SpikeloomError
from sw.families import of_state

torch = pytest.importorskip("torch")
from tests.families.qsnn.files import IMAGES, TOLD, npz, refuse  # noqa: E402
from tests.frontend.qsnn_states import residual_state, vgg_state, with_aliases  # noqa: E402


def test_containers_prefixes_wrappers_and_trainer_extras(tmp_path, want):
    state = with_aliases(residual_state())
    save_file(state, tmp_path / "net.safetensors")
    tensors = {f"module.{k}": torch.tensor(v) for k, v in state.items()}
    extras = {
        "epoch": 3,
        "best_acc": np.float64(0.9),
        "rate": np.float32(0.1),
        "args": argparse.Namespace(T=2, arch="resnet19"),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
    }
    torch.save({"state_dict": tensors, **extras}, tmp_path / "net.pth.tar")
    torch.save({"net": tensors, **extras}, tmp_path / "net.pt")
    torch.save(tensors, tmp_path / "net.pth")
    npz(tmp_path, {**state, "epoch": np.array(3), "best_acc": np.array(0.5)})
    for name in ("net.safetensors", "net.pth.tar", "net.pt", "net.pth", "net.npz"):
        net = sw.load(tmp_path / name, **TOLD)
        assert net.name == "net"
        np.testing.assert_array_equal(net.run(IMAGES).logits, want, name)


def test_objects_that_would_act_are_named(tmp_path):
    torch.save({"state_dict": {}, "args": tmp_path}, tmp_path / "net.pth")
    refuse(tmp_path / "net.pth", r"it holds objects of pathlib\S*, and nothing .* is executed")


def test_what_the_file_cannot_tell_is_asked_for_all_at_once(tmp_path):
    message = refuse(npz(tmp_path, residual_state(channels=3)), "neither the file nor a JSON")
    for part in ("steps= (time steps T; ", "membrane_bits= (2, 4 or 8)", "mean= (", "std= ("):
        assert part in message
    assert "CIFAR-10 mean=(0.4914" in message
    message = refuse(npz(tmp_path, residual_state()), "MNIST", steps=2, membrane_bits=8, std=1)
    assert "membrane_bits=" not in message
    message = refuse(npz(tmp_path, vgg_state(pooled=False)), "strides=", **TOLD)
    assert "(1, 2, 1) where every second" in message


@pytest.mark.parametrize(
    "side",
    [
        {"steps": 2, "membrane_bits": 4, "mean": 0, "std": 1},
        {"steps": 999, "hp": {"step": 2, "num_bits_u": 4}, "mean": [0], "std": [1]},
        {"config": {"T": 2, "membrane_bits": 4, "mean": 0, "std": 1}},
    ],
    ids=["own", "authors", "nested"],
)
def test_json_file_beside_the_weights(tmp_path, side, want):
    net = sw.load(npz(tmp_path, residual_state(), side=side))
    np.testing.assert_array_equal(net.run(IMAGES).logits, want)
    assert sw.load(tmp_path / "net.npz", steps=5, membrane_bits=8).steps == 5


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"membrane_bits": 3}, "membrane_bits must be 2, 4 or 8"),
        ({"membrane_bits": True}, "membrane_bits must be 2, 4 or 8"),
        ({"steps": 0}, "steps must be a whole number"),
        ({"steps": 99}, "steps is 99, wanted 1 to 16"),
        ({"heads": 4}, "a Q-SNN has no heads; leave it out"),
        ({"attention": "kv"}, "a Q-SNN has no attention"),
        ({"alpha": 0}, "alpha must be above 0 or 'batch'"),
        ({"alpha": "image"}, "alpha must be above 0 or 'batch'"),
        ({"strides": (1, 2)}, "strides is for VGG nets"),
        ({"strides": (1, 3)}, "strides must be 1 or 2"),
        ({"mean": (0.1, 0.2)}, "mean has 2 values"),
        ({"std": 0.0}, "std must be above 0"),
    ],
)
def test_wrong_options(tmp_path, options, match):
    refuse(npz(tmp_path, residual_state()), match, **{**TOLD, **options})


def test_networks_of_sequences(tmp_path):
    told = {"steps": 29, "membrane_bits": 4, "mean": 0, "std": 1}
    net = sw.load(npz(tmp_path, residual_state(), side=told | {"stream": True}))
    assert (net.stream, net.steps) == (True, 29)
    assert of_state(residual_state()).told(net)["stream"] is True
    path = npz(tmp_path, residual_state(), side=told | {"stream": False})
    with pytest.raises(SpikeloomError, match="steps is 29, wanted 1 to 16"):
        sw.load(path)
    net = sw.load(path, steps=16)
    assert not net.stream
    assert "stream" not in of_state(residual_state()).told(net)
    refuse(npz(tmp_path, residual_state(), side=told | {"stream": 1}), "stream must be true or fal")


def test_vgg_with_images_of_another_size(tmp_path):
    net = sw.load(npz(tmp_path, vgg_state(channels=1)), **TOLD)
    net.run(np.zeros((1, 8, 9), np.uint8))
    with pytest.raises(
        SpikeloomError, match=r"bring 72 values to classifier\.module, which reads 32"
    ):
        net.run(np.zeros((1, 12, 12), np.uint8))


def test_weights_without_sign_or_scale(tmp_path):
    state = residual_state()
    state["layer1.0.conv1.weight"][2] = 0.25
    state["conv1.weight"] = -np.abs(state["conv1.weight"])
    state["conv1.weight"][0, 0, 0, 0] = 0
    state["bn1.bn.running_var"][0] = -1
    message = refuse(npz(tmp_path, state), "output channel 2 are equal", **TOLD)
    assert "conv1.weight: the largest weight is 0" in message
    assert "bn1.bn.running_var holds a negative variance" in message


def test_equal_weights_in_the_first_layer_are_no_fault(tmp_path):
    state = residual_state()
    state["conv1.weight"][1] = 0.5
    assert np.isfinite(sw.load(npz(tmp_path, state), **TOLD).run(IMAGES).logits).all()


def test_with_alpha(tmp_path):
    net = sw.load(npz(tmp_path, residual_state()), **TOLD)
    some = net.with_alpha({"lif1": 0.5})
    alphas = {n.name: n.alpha for n in some.nodes if n.name.endswith(("lif1", "lif2"))}
    assert alphas.pop("lif1") == 0.5
    assert set(alphas.values()) == {1.0}
    with pytest.raises(
        SpikeloomError, match=r"no neuron of quantised state is called lif9; .*lif1"
    ):
        net.with_alpha({"lif9": 0.5})
    for wrong in (0.0, -1, True, float("nan"), float("inf"), "none", None):
        with pytest.raises(SpikeloomError, match="must be above 0 or 'batch'"):
            net.with_alpha(wrong)
