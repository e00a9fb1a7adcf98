"""Weight files of every kind, and the JSON file beside them."""

from pathlib import Path

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.frontend import files
from tests.frontend.checkpoints import NORM, logits, refuse, write
from tests.frontend.states import make_state


def test_containers_agree(tmp_path):
    torch = pytest.importorskip("torch")
    state = make_state()
    want = logits(sw.load(write(tmp_path, state), **NORM))
    path = write(tmp_path, state, "net.safetensors")
    np.testing.assert_array_equal(logits(sw.load(path, **NORM)), want)
    wrapped = {"epoch": 3, "state_dict": {f"module.{k}": torch.tensor(v) for k, v in state.items()}}
    torch.save(wrapped, tmp_path / "net.pth")
    np.testing.assert_array_equal(logits(sw.load(tmp_path / "net.pth", **NORM)), want)


@pytest.mark.parametrize("name", ["net.npz", "net.safetensors"])
def test_truncated_file(tmp_path, name):
    path = write(tmp_path, make_state(), name)
    data = path.read_bytes()
    for cut in (0, 5, len(data) // 2, len(data) - 3):
        path.write_bytes(data[:cut])
        refuse(path, "truncated or of another kind")


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


def test_broken_json_file(tmp_path):
    path = write(tmp_path, make_state())
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    refuse(path, "not readable as JSON")
    path.with_suffix(".json").write_text("[]", encoding="utf-8")
    refuse(path, "wanted an object")


@pytest.mark.parametrize(
    "side",
    [
        b"[" * 100_000,
        b"{",
        b"\xff\xff",
        b"[1]",
        b'{"mean": "x"}',
        b'{"mean": [0.5, "y"]}',
        b'{"image_size": [1e400, 3]}',
        b'{"mean": [NaN], "std": [0.5]}',
        b'{"heads": -1}',
        b'{"mean": [0.5], "std": [0.5], "pixel_weight_bits": 99}',
        b'{"steps": 1e300}',
    ],
)
def test_side_files_that_are_wrong(side, tmp_path):
    np.savez(tmp_path / "a.npz", **make_state(0))
    (tmp_path / "a.json").write_bytes(side)
    with pytest.raises(SpikeloomError) as e:
        sw.load(tmp_path / "a.npz").lower()
    assert len(str(e.value)) < 1500


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("x.npz", "x"),
        ("x.weights.npz", "x"),
        ("x.pth.tar", "x"),
        ("x.PTH.tar", "x"),
        ("x.ckpt.bin", "x"),
        ("a.b.safetensors", "a.b"),
        ("x.weights.safetensors", "x"),
        ("weights.npz", "weights"),
    ],
)
def test_names_of_networks_in_names_of_files(name, stem):
    assert files.stem(Path("some.where") / name) == stem


def test_side_files_in_any_case(tmp_path):
    path = tmp_path / "x.weights.npz"
    assert files.side_file(path) is None
    assert files.read_sidecar(path) == {}
    (tmp_path / "x.weights.json").write_text('{"steps": 1}', encoding="utf-8")
    assert files.side_file(path) is None
    (tmp_path / "x.JSON").write_text('{"steps": 2}', encoding="utf-8")
    assert files.read_sidecar(path) == {"steps": 2}
    (tmp_path / "x.json").write_text('{"steps": 3}', encoding="utf-8")
    assert files.read_sidecar(path) == {"steps": 3}
    assert files.side_file(tmp_path / "none" / "x.npz") is None


@pytest.mark.parametrize("suffix", ["", ".json", ".pt.zip"])
def test_kinds_of_files_that_are_not_known(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(b"")
    with pytest.raises(SpikeloomError) as error:
        files.read_weights(path)
    assert f"unknown kind of file '{path.suffix}'; give one of .safetensors, .npz, .pt" in str(
        error.value
    )
    assert files.suffix(Path("a.NPZ")) == ".npz"
