"""Checkpoints as users have them; tests/data/cases/README.md says what each must do."""

import json
import shutil

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw import convert
from tests.fixtures import CASES
from tests.frontend.states import make_state

torch = pytest.importorskip("torch")
from tests.frontend.cases import SIDE  # noqa: E402


@pytest.mark.parametrize(
    "name",
    [
        "lightning.pth",
        "compile_inner.pth",
        "empty_then_ema.pth",
        "thop.pth",
        "numpy_curve.pth",
        "spikingjelly_buffers.pth",
        "bf16.safetensors",
        "json_bom.npz",
        "dead_channel.npz",
        "norm_cifar10.npz",
        "norm_imagenet.npz",
    ],
)
def test_loads(name):
    net = sw.load(CASES / name)
    assert net.lower(size=(16, 16)).classes == net.classes


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "mean_of_255.pth",
            r"mean must be 0 to 1 .*scale of 0\.\.255: divided by 255 it is 0\.485",
        ),
        ("complex.pth", "not real numbers: .*complex64"),
        ("meta.pth", "has a shape but no values"),
        ("expand_bomb.pt", "is an expanded view of"),
        ("readme_member.npz", "'README.txt' is no array"),
        ("integer_network_flipped.npz", "Bad CRC-32"),
        ("centre_integer_network.npz", "tells what the network needs; give mean="),
    ],
)
def test_refused(name, words, tmp_path, capsys):
    with pytest.raises(SpikeloomError, match=words) as e:
        sw.load(CASES / name)
    assert len(str(e.value).splitlines()) <= 20
    assert convert.main([str(CASES / name), "--out", str(tmp_path / "o" / "x.safetensors")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "Traceback" not in said
    assert not (tmp_path / "o").exists()


def test_a_name_never_becomes_a_path(tmp_path, monkeypatch):
    for suffix in ("npz", "json"):
        shutil.copy(CASES / f"name_traversal.{suffix}", tmp_path / f"net.{suffix}")
    monkeypatch.chdir(tmp_path)
    _, out = convert.convert("net.npz")
    assert out.as_posix() == "build/convert/escaped.safetensors"
    assert not list(tmp_path.parent.glob("escaped*"))


def test_side_files_of_other_outputs_are_spared(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(SIDE), "utf-8")
        np.savez(tmp_path / f"{name}.npz", **make_state(0))
    with pytest.raises(
        SpikeloomError,
        match=r"its side file b\.json is there already and belongs "
        r"to b\.npz; give another --out",
    ):
        convert.convert(tmp_path / "a.npz", tmp_path / "b.safetensors")
    with pytest.raises(SpikeloomError, match=r"belongs to a.npz"):
        convert.convert(tmp_path / "a.npz", tmp_path / "a.safetensors")
    assert json.loads((tmp_path / "b.json").read_text("utf-8")) == SIDE
    convert.convert(tmp_path / "a.npz", tmp_path / "c.safetensors")
    convert.convert(tmp_path / "a.npz", tmp_path / "c.safetensors")  # its own, again


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("--image-size", "32y", "such as 32 or 32x48"),
        ("--mean", "a,b", "0.49,0.48,0.45"),
        ("--steps", "two", "a whole number"),
        ("--alpha", "x", "a number, batch or measured"),
        ("--strides", "1;2", "such as 1,2,1,2"),
    ],
)
def test_options_name_the_form_wanted(option, text, words, capsys):
    with pytest.raises(SystemExit) as e:
        convert.main(["digits", option, text])
    assert e.value.code == 2
    assert words in capsys.readouterr().err
