"""``python -m sw.convert``."""

import json

import numpy as np
import pytest

import sw
from sw.convert import convert, main, parser
from sw.graph import LIF
from tests.fixtures import FIXTURES
from tests.frontend.same import same

torch = pytest.importorskip("torch")
from tests.frontend.qsnn_states import residual_state, vgg_state, with_aliases  # noqa: E402


@pytest.mark.parametrize("name", ["q8", "best_digits", "best_kv_a"])
def test_fixtures(tmp_path, name, capsys):
    source = FIXTURES / f"{name}.weights.npz"
    out = tmp_path / f"{name}.safetensors"
    assert main([str(source), "--out", str(out)]) == 0
    same(sw.load(out), sw.load(source))
    shown = capsys.readouterr().out
    assert f"{name}: {'Q-SNN' if name == 'q8' else 'BESTformer'}" in shown
    assert f"written: {out}" in shown
    again = tmp_path / "again.safetensors"
    convert(source, again)
    assert again.read_bytes() == out.read_bytes()


def test_options_have_the_names_of_load(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = {f"module.{k}": torch.tensor(v) for k, v in with_aliases(residual_state()).items()}
    torch.save({"net": state, "epoch": 9}, "net.pth.tar")
    assert main(["net.pth.tar"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    for option in ("steps=", "membrane_bits=", "mean=", "std="):
        assert option in message
    told = ["--steps", "3", "--membrane_bits", "4", "--mean", "0.13", "--std=0.3", "--alpha=0.9"]
    assert main(["net.pth.tar", *told, "--image-size", "8x9"]) == 0
    options = {"steps": 3, "membrane_bits": 4, "mean": 0.13, "std": 0.3, "alpha": 0.9}
    want = sw.load("net.pth.tar", **options, image_size=(8, 9))
    same(sw.load("build/convert/net.safetensors"), want)
    shown = capsys.readouterr().out
    for line in ("membrane_bits    4", "widths           4, 8", "blocks           1, 2"):
        assert line in shown
    fields = json.loads((tmp_path / "build/convert/net.json").read_text(encoding="utf-8"))
    assert fields["membrane_alpha"] == 0.9


def test_strides_and_channels(tmp_path):
    np.savez(tmp_path / "net.npz", **vgg_state(pooled=False))
    told = ["--steps=2", "--membrane-bits=8", "--mean=0.1,0.2", "--std=1", "--strides=1,2,1"]
    out = tmp_path / "out.safetensors"
    assert main([str(tmp_path / "net.npz"), *told, "--out", str(out)]) == 0
    convs = [n.stride for n in sw.load(out).nodes if n.name.endswith("module.0")]
    assert (convs, sw.load(out).mean) == ([1, 2, 1], (0.1, 0.2))


def test_warnings_are_printed(tmp_path, capsys):
    """Of a NIR graph with a layer between neurons that is not binary."""
    pytest.importorskip("nir")
    from tests.frontend.nir.reference import Maker

    make = Maker((1, 4, 4)).conv("a", 2, binary=False).lif("b").conv("c", 2, binary=False).lif("d")
    make.flatten().affine("head", 2).write(tmp_path / "net.nir")
    told = ["--steps=2", "--dt=1e-4", "--mean=0", "--std=1", "--out", str(tmp_path / "o.nir")]
    assert main([str(tmp_path / "net.nir"), *told]) == 0
    got = capsys.readouterr()
    assert "warning: net.nir: real-valued between neurons" in got.err
    assert "real_layers      1" in got.out


def test_alpha_is_measured_neuron_by_neuron(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({k: torch.tensor(v) for k, v in with_aliases(residual_state()).items()}, "net.pth")
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 9), dtype=np.uint8)
    np.save("images.npy", images)
    told = ["--steps", "3", "--membrane_bits", "4", "--mean", "0.1", "--std", "0.3"]
    told += ["--image-size", "8x9"]
    assert main(["net.pth", *told, "--alpha", "measured", "--calibration", "images.npy"]) == 0
    got = sw.load("build/convert/net.safetensors")
    plain = sw.load("net.pth", steps=3, membrane_bits=4, mean=0.1, std=0.3, image_size=(8, 9))
    alphas = {n.name: n.alpha for n in got.nodes if isinstance(n, LIF)}
    assert alphas == plain.measure_alpha(images)
    assert len(set(alphas.values())) > 1
    for wrong in (["--alpha", "measured"], ["--calibration", "images.npy"]):
        assert main(["net.pth", *told, *wrong]) == 1
        assert "belong together" in capsys.readouterr().err
    (tmp_path / "text.npy").write_text("no images", encoding="utf-8")
    assert main(["net.pth", *told, "--alpha", "measured", "--calibration", "text.npy"]) == 1
    assert "no .npy file of images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "field", "value"),
    [
        ("--heads=4", "heads", 4),
        ("--map-theta=2.5", "map_theta", 2.5),
        ("--map_theta=2.5", "map_theta", 2.5),
        ("--alpha=0.5", "alpha", 0.5),
        ("--alpha=batch", "alpha", "batch"),
        ("--strides=1,2,1", "strides", (1, 2, 1)),
        ("--mean=0.5", "mean", (0.5,)),
        ("--std=0.5,0.25", "std", (0.5, 0.25)),
        ("--image-size=32", "image_size", 32),
        ("--image-size=32X48", "image_size", (32, 48)),
        ("--image-size=32,48", "image_size", (32, 48)),
        ("--dt=1e-3", "dt", 1e-3),
        ("--weights=ema", "weights", "ema"),
        ("--lossy", "lossy", True),
    ],
)
def test_options_are_read(told, field, value):
    got = vars(parser().parse_args(["net", told]))
    assert got[field] == value
    assert type(got[field]) is type(value)
    others = {k for k, v in got.items() if v is not None and v is not False} - {"checkpoint"}
    assert others == {field}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("--heads=-4", "'-4' is not a whole number, such as 4"),
        ("--steps=2.0", "'2.0' is not a whole number, such as 4"),
        ("--map-theta=x", "'x' is not a number, such as 0.5"),
        ("--alpha=most", "'most' is not a number, batch or measured"),
        ("--strides=1,b", "'1,b' is not whole numbers with commas between, such as 1,2,1,2"),
        ("--mean=0.5,", "'0.5,' is not a number, or one per channel such as 0.49,0.48,0.45"),
        ("--image-size=8x8x8", "'8x8x8' is not a side or height and width, such as 32 or 32x48"),
        ("--image-size=8x", "'8x' is not a side or height and width, such as 32 or 32x48"),
    ],
)
def test_options_of_another_form(told, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["net", told])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("images", [np.zeros((2, 8, 9)), np.zeros((2, 8, 9), np.int16)])
def test_calibration_images_are_uint8(images, tmp_path, capsys):
    np.save(tmp_path / "images.npy", images)
    told = ["--alpha=measured", "--calibration", str(tmp_path / "images.npy")]
    assert main([str(FIXTURES / "q8.weights.npz"), *told]) == 1
    assert "images.npy: images must be uint8, (B, H, W) or (B, C" in capsys.readouterr().err


def test_a_graph_alone_has_no_file_beside_it(tmp_path, capsys):
    """Written from a weight file, it holds all there is to tell."""
    pytest.importorskip("nir")
    out = tmp_path / "o.nir"
    assert main(["digits-qsnn", "--lossy", "--out", str(out)]) == 0
    assert capsys.readouterr().out.endswith(f"written: {out}\n")
    assert [p.name for p in tmp_path.iterdir()] == ["o.nir"]
