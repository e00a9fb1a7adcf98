"""A family of a stranger's: one entry in the table, and all that runs networks runs its own."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import sw
from hw.arch.config import Config
from hw.common.errors import SpikeloomError
from sw import convert, families
from sw.frontend import weights
from tests.extend.perceptron import PERCEPTRON

SETTINGS = {"steps": 3, "mean": 0.5, "std": 0.25, "image_size": 8}


@pytest.fixture
def table(monkeypatch):
    """The table of families with the toy as its last."""
    table = families.checked((*families.FAMILIES, PERCEPTRON))
    monkeypatch.setattr(families, "FAMILIES", table)


def state(seed=0, *, patches=16, width=32, classes=4):
    """Random tensors whose neurons all have something to do."""
    rng = np.random.default_rng(seed)
    shapes = {
        "patches.kernel": (patches, 1, 3, 3),
        "patches.shift": (patches,),
        "layer.signs": (width, patches),
        "layer.shift": (width,),
        "readout.matrix": (classes, width),
        "readout.offset": (classes,),
    }
    found = {k: rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    found["readout.offset"] *= 0.1
    found["patches.gain"] = np.full(patches, 0.75, np.float32)
    found["layer.gain"] = rng.uniform(0.5, 1.0, width).astype(np.float32)
    return found


def images(count=40):
    """Noise of one brightness each, (count, 8, 8)."""
    rng = np.random.default_rng(1)
    level = rng.integers(0, 256, (count, 1, 1))
    return np.clip(level + rng.normal(0, 20, (count, 8, 8)), 0, 255).astype(np.uint8)


@pytest.fixture
def path(tmp_path):
    """Its checkpoint with a JSON file beside it."""
    path = tmp_path / "toy.safetensors"
    path.write_bytes(weights.seal(state()))
    path.with_suffix(".json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    return path


def test_without_its_entry_it_is_no_network(path):
    with pytest.raises(SpikeloomError, match="not a network of a known family") as error:
        sw.load(path)
    assert "a BESTformer (patch_embed." in str(error.value)
    assert "or Q-SNN (conv1.weight" in str(error.value)


def test_it_loads_runs_lowers_and_compiles(table, path):
    pytest.importorskip("torch")
    net = sw.load(path)
    assert (net.name, net.steps, net.size, net.classes) == ("toy", 3, (8, 8), 4)
    assert net.meta["family"] == "perceptron"
    float_found = net.run(images(), trace=True)
    spikes = float_found.trace["layer.spikes"]
    assert 0.05 < spikes.mean() < 0.95
    lowered = net.lower()
    golden = lowered.run(images(), trace=True)
    predicted = float_found.logits.argmax(1)
    assert len(set(predicted.tolist())) > 1
    np.testing.assert_array_equal(golden.logits.argmax(1), predicted)
    same = golden.trace["layer.spikes"] == spikes.reshape(golden.trace["layer.spikes"].shape)
    assert same.mean() > 0.999
    program = lowered.compile(Config())
    assert {"patches", "layer"} <= {label.layer for label in program.labels}
    assert program.cycles > 0


def test_its_float_graph_is_its_formula(table, path):
    """Written once more in numpy."""
    pytest.importorskip("torch")
    s = {key: value.astype(np.float64) for key, value in state().items()}
    x = (images(3) / 255 - 0.5) / 0.25
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    sums = np.einsum("bhwij,oij->bhwo", windows, s["patches.kernel"][:, 0])
    currents = sums * s["patches.gain"] + s["patches.shift"]
    signs = np.sign(s["layer.signs"] - s["layer.signs"].mean(1, keepdims=True))
    v, u, fired = np.zeros_like(currents), np.zeros((*currents.shape[:3], 32)), []
    for _ in range(3):
        v = v + (currents - v) / 2
        spikes = v >= 1
        v = np.where(spikes, 0, v)
        u = u + ((spikes @ signs.T) * s["layer.gain"] + s["layer.shift"] - u) / 2
        fired.append(u >= 1)
        u = np.where(u >= 1, 0, u)
    want = np.mean(fired, axis=(0, 2, 3)) @ s["readout.matrix"].T + s["readout.offset"]
    np.testing.assert_allclose(sw.load(path).run(images(3)).logits, want, atol=1e-3)


def test_it_is_found_within_what_was_wrapped_around_it(table, path):
    wrapped = {f"trainer.net.module.{key}": value for key, value in state().items()}
    wrapped["trainer.loss.scale"] = np.ones(3, np.float32)
    path.write_bytes(weights.seal(wrapped))
    net = sw.load(path)
    assert net.meta["ignored"] == ["trainer.loss.scale"]
    found = next(node for node in net.nodes if node.name == "layer")
    np.testing.assert_array_equal(found.weight[:, :, 0, 0], state()["layer.signs"])


def test_its_faults_are_told_by_layer(table, path):
    damaged = state()
    del damaged["layer.gain"]
    damaged["readout.matrix"] = damaged["readout.matrix"][:, :-1]
    path.write_bytes(weights.seal(damaged))
    with pytest.raises(SpikeloomError, match="not a complete perceptron state dict") as error:
        sw.load(path)
    assert "missing layer.gain" in str(error.value)
    assert "readout.matrix is (4, 31), wanted (4, 32)" in str(error.value)


def test_its_settings_are_asked_for_and_others_refused(table, path):
    path.with_suffix(".json").unlink()
    with pytest.raises(SpikeloomError, match=r"give .*steps=.*mean=.*std="):
        sw.load(path)
    with pytest.raises(SpikeloomError, match="a perceptron has no heads; leave it out"):
        sw.load(path, heads=2)
    assert sw.load(path, steps=2, mean=0.5, std=0.5).steps == 2


def test_it_is_stated_and_written(table, path, tmp_path, capsys):
    out = tmp_path / "out" / "toy.safetensors"
    assert convert.main([str(path), "--steps", "2", "--out", str(out)]) == 0
    assert "toy: perceptron, 3 layers of weights, 2 layers of neurons" in capsys.readouterr().out
    fields = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert fields["steps"] == 2
    again = weights.read(out)
    assert again.keys() == state().keys()
    assert all(np.array_equal(again[key], value) for key, value in state().items())


def test_the_page_shows_this_family():
    """Each block of Python in docs/develop/family.md stands so in a file of the repository."""
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "develop" / "family.md").read_text(encoding="utf-8")
    sources = "".join(
        (root / name).read_text(encoding="utf-8")
        for name in (
            "tests/extend/perceptron.py",
            "tests/extend/test_family.py",
            "sw/families/__init__.py",
            "sw/families/bestformer/__init__.py",
            "sw/families/qsnn/training.py",
        )
    )
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    for block in blocks:
        for piece in block.split("    ...\n"):
            assert piece.strip("\n") in sources, piece


def test_it_is_not_trained(table):
    assert PERCEPTRON not in families.trained()
