"""Containers, settings and every message of ``sw.load``."""

import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

import sw
from hw.common.errors import SpikeloomError
from tests.frontend.states import make_state

ROOT = pathlib.Path(__file__).resolve().parents[2]
NORM = {"mean": 0.0, "std": 1.0}


def write(tmp_path, state, name="net.npz", side=None):
    path = tmp_path / name
    if name.endswith(".npz"):
        np.savez(path, **state)
    else:
        save_file({k: np.ascontiguousarray(v) for k, v in state.items()}, path)
    if side is not None:
        path.with_suffix(".json").write_text(json.dumps(side), encoding="utf-8")
    return path


def logits(net):
    return net.lower(size=(8, 8)).run(np.full((1, 8, 8), 99, dtype=np.uint8)).logits


def test_containers_agree(tmp_path):
    torch = pytest.importorskip("torch")
    state = make_state()
    want = logits(sw.load(write(tmp_path, state), **NORM))
    path = write(tmp_path, state, "net.safetensors")
    np.testing.assert_array_equal(logits(sw.load(path, **NORM)), want)
    wrapped = {"epoch": 3, "state_dict": {f"module.{k}": torch.tensor(v) for k, v in state.items()}}
    torch.save(wrapped, tmp_path / "net.pth")
    np.testing.assert_array_equal(logits(sw.load(tmp_path / "net.pth", **NORM)), want)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pth.tar"])
@pytest.mark.parametrize("wrapper", ["state_dict", "model", "net", "model_state_dict", None])
def test_wrappers_prefixes_and_trainer_extras(tmp_path, wrapper, suffix):
    torch = pytest.importorskip("torch")
    state = make_state()
    tensors = {f"module._orig_mod.{k}": torch.tensor(v) for k, v in state.items()}
    extras = {
        "epoch": 3,
        "best_acc": np.float64(0.9),
        "args": argparse.Namespace(T=2, arch="bestformer"),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
    }
    torch.save({wrapper: tensors, **extras} if wrapper else tensors, tmp_path / f"net{suffix}")
    net = sw.load(tmp_path / f"net{suffix}", **NORM)
    assert (net.name, net.steps, net.classes) == ("net", 3, 5)
    convs = [n for n in net.nodes if hasattr(n, "padding") and hasattr(n, "binary")]
    for conv in convs:
        key = f"{conv.name}.weight"
        np.testing.assert_array_equal(conv.weight.ravel(), state[key].ravel(), key)


def test_int8_binary_weights(tmp_path):
    """Our own files hold -1/+1; the filter's mean does not change their signs."""
    state = make_state()
    packed = dict(state)
    for key, value in state.items():
        if key.endswith("_conv.weight") and "block0" not in key:
            flat = value.reshape(len(value), -1)
            sign = np.sign(flat - flat.mean(axis=1, keepdims=True))
            packed[key] = sign.reshape(value.shape).astype(np.int8)
    side = {"model": "bestformer", "attention": "qk", "height": 8, "width": 8, **NORM}
    path = write(tmp_path, packed, "net.safetensors", side)
    net = sw.load(path)
    assert net.size == (8, 8)
    want = logits(sw.load(write(tmp_path, state), **NORM))
    np.testing.assert_array_equal(logits(net), want)


def test_shipped_network_by_name():
    net = sw.load("digits")
    q = net.lower()
    assert (q.height, q.width, q.classes) == (16, 16, 10)


def test_unknown_normalisation_is_asked_for(tmp_path):
    path = write(tmp_path, make_state(channels=3))
    message = refuse(path, "neither the file nor a JSON", mean=None, std=None)
    for part in (
        "mean= (of pixels scaled to 0..1; mean=0, std=1 if none",
        "CIFAR-10 mean=(0.49",
        "ImageNet mean=",
        "std= (",
    ):
        assert part in message
    assert "mean= (" not in refuse(path, "give std= ", std=None)


def test_options_win_over_the_json_file(tmp_path):
    side = {"mean": 0.5, "std": 0.2, "attention": "kv", "name": "from-json"}
    path = write(tmp_path, make_state(), side=side)
    assert sw.load(path).meta["attention"] == "kv"
    net = sw.load(path, mean=0.1, attention="qk", name="mine")
    assert (net.mean, net.std, net.meta["attention"], net.name) == ((0.1,), (0.2,), "qk", "mine")


def test_no_torch_is_needed_but_for_float_runs(tmp_path):
    """Load, lower and integer runs with torch blocked; the float run names the cure."""
    path = write(tmp_path, make_state(), "net.safetensors", NORM)
    code = f"""
import sys
sys.modules["torch"] = None
import numpy as np, sw
from hw.common.errors import SpikeloomError
net = sw.load({str(path)!r})
images = np.zeros((2, 8, 8), dtype=np.uint8)
print(net.lower(images).run(images).logits.shape)
try:
    net.run(images)
except SpikeloomError as error:
    print(error)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "(2, 5)" in done.stdout
    assert "pip install -e '.[torch]'" in done.stdout


def refuse(path, match, **options):
    with pytest.raises(SpikeloomError, match=match) as caught:
        sw.load(path, **{**NORM, **options})
    assert len(str(caught.value).splitlines()) <= 20
    return str(caught.value)


@pytest.mark.parametrize("name", ["net.npz", "net.safetensors"])
def test_truncated_file(tmp_path, name):
    path = write(tmp_path, make_state(), name)
    data = path.read_bytes()
    for cut in (0, 5, len(data) // 2, len(data) - 3):
        path.write_bytes(data[:cut])
        refuse(path, "truncated or of another kind")


def test_truncated_torch_file(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "net.pt"
    torch.save({"a": torch.ones(1000)}, path)
    data = path.read_bytes()
    for cut in (0, 5, len(data) // 2):
        path.write_bytes(data[:cut])
        refuse(path, "truncated or of another kind")


class _Surprise:
    """A pickle that would call something."""

    def __reduce__(self):
        return print, ("executed",)


def test_pickles_are_not_executed(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    torch.save({"state_dict": _Surprise()}, tmp_path / "net.pt")
    refuse(tmp_path / "net.pt", "not readable as a torch file of weights only")
    np.savez(tmp_path / "net.npz", a=np.array([_Surprise()], dtype=object))
    refuse(tmp_path / "net.npz", "not readable as an npz archive")
    assert "executed" not in capsys.readouterr().out


def test_foreign_files(tmp_path):
    (tmp_path / "net.npz").write_bytes(b"hello" * 100)
    refuse(tmp_path / "net.npz", "not readable")
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    refuse(tmp_path / "other.npz", "not a network of a known family")
    np.savez(tmp_path / "none.npz")
    refuse(tmp_path / "none.npz", "holds no tensors")
    np.save(tmp_path / "one.npy", np.ones(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    refuse(tmp_path / "one.npz", "not readable")
    (tmp_path / "net.onnx").write_bytes(b"")
    refuse(tmp_path / "net.onnx", "unknown kind of file")
    refuse(tmp_path / "absent.npz", "no such file")
    refuse(tmp_path, "is a folder")
    refuse("no_such_network", "shipped: .*digits")


def test_nan_is_named(tmp_path):
    state = make_state()
    state["block.0.attn.q_bn.bias"][3] = np.nan
    state["head.weight"][0, 0] = np.inf
    message = refuse(write(tmp_path, state), "NaN or infinity")
    assert "block.0.attn.q_bn.bias" in message
    assert "head.weight" in message


def test_all_missing_unexpected_and_misshaped_keys_in_one_message(tmp_path):
    state = make_state()
    del state["block.0.attn.k_conv.weight"], state["head2.bias"]
    state["extra.weight"] = np.ones(3, dtype=np.float32)
    state["block.0.mlp.mlp1_bn.bias"] = np.ones(3, dtype=np.float32)
    message = refuse(write(tmp_path, state), "missing block.0.attn.k_conv.weight")
    for part in ("missing head2.bias", "unexpected extra.weight", "mlp1_bn.bias is \\(3,\\)"):
        assert part.replace("\\", "") in message


def test_wild_numbers_in_keys(tmp_path):
    state = {**make_state(), "block.999999999.attn.q_bn.bias": np.ones(16, np.float32)}
    assert "unexpected block.999999999.attn.q_bn.bias" in refuse(write(tmp_path, state), "missing")


def test_complex_tensors_are_refused(tmp_path):
    state = make_state()
    state["head.bias"] = state["head.bias"].astype(complex)
    refuse(write(tmp_path, state), "not real numbers: head.bias")


def test_filters_of_equal_weights_are_refused_by_name(tmp_path):
    state = make_state()
    state["block.0.attn.v_conv.weight"][5] = 0.25
    refuse(write(tmp_path, state), "v_conv.weight: all weights of output channel 5 are equal")


def test_negative_variance_is_refused(tmp_path):
    state = make_state()
    state["patch_embed.block2_bn.running_var"][1] = -1
    refuse(write(tmp_path, state), "negative variance")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 4}, "tells heads 2, not 4"),
        ({"steps": 2}, "tells steps 3, not 2"),
        ({"attention": "vq"}, "attention must be qk or kv"),
        ({"similarity": "or"}, "similarity must be and or xnor"),
        ({"attention": "kv", "similarity": "xnor"}, "xnor similarity needs"),
        ({"mean": (0.1, 0.2)}, "mean has 2 values"),
        ({"std": 0.0}, "std must be above 0"),
        ({"mean": float("nan")}, "mean must be a finite number"),
        ({"image_size": (3, 4, 5)}, "image size must be"),
        ({"heads": 0}, "heads must be a whole number"),
    ],
)
def test_wrong_options(tmp_path, options, message):
    refuse(write(tmp_path, make_state()), message, **options)


def test_broken_json_file(tmp_path):
    path = write(tmp_path, make_state())
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    refuse(path, "not readable as JSON")
    path.with_suffix(".json").write_text("[]", encoding="utf-8")
    refuse(path, "wanted an object")
