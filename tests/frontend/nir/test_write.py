"""Networks written as NIR graphs: read back they are the same, and NIR's own reader takes them."""

import dataclasses

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.convert import main
from sw.graph import LIF, Conv, Linear
from tests.fixtures import FIXTURES

nir = pytest.importorskip("nir")
pytest.importorskip("torch")
from tests.frontend.nir.writing import load, same, there_and_back  # noqa: E402
from tests.frontend.qsnn_states import residual_state  # noqa: E402


def test_fixture_comes_back_bit_for_bit(tmp_path):
    net = sw.load(FIXTURES / "q8.weights.npz")
    with np.load(FIXTURES / "q8.io.npz") as io:
        images = io["images"]
    back = there_and_back(tmp_path, net, image_size=(28, 28))
    same(net, back, images, tolerance=0)
    assert back.meta["state_bits"] == [8]
    assert sw.load(tmp_path / "out.nir", image_size=28).size == (28, 28)
    kinds = [type(n).__name__ for n in net.nodes]
    assert [type(n).__name__ for n in back.nodes] == kinds  # the same graph, node for node
    for mine, theirs in zip(net.nodes, back.nodes, strict=True):
        if isinstance(mine, Conv | Linear):
            assert mine.weight_bits == theirs.weight_bits
        if isinstance(mine, Conv):
            assert (mine.binary, mine.stride, mine.padding) == (
                theirs.binary,
                theirs.stride,
                theirs.padding,
            )
        if isinstance(mine, LIF):
            assert dataclasses.replace(mine, source=theirs.source) == theirs
    again = sw.nir.save(net, tmp_path / "again.nir", image_size=(28, 28), lossy=True)
    assert again.read_bytes() == (tmp_path / "out.nir").read_bytes()


def test_quantised_states_are_not_lost_silently(tmp_path):
    net = load(tmp_path, residual_state(channels=2), image_size=(8, 8))
    with pytest.raises(SpikeloomError) as caught:
        sw.nir.save(net, tmp_path / "out.nir")
    text = str(caught.value)
    assert "net: NIR has no node for the 4-bit states of 7 layers of neurons" in text
    assert "lossy=True (--lossy)" in text
    assert not (tmp_path / "out.nir").exists()
    graph = sw.nir.to_graph(net, lossy=True)
    assert graph.nodes["lif1"].metadata == {"state_bits": 4, "alpha": 1.0}


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    """What HDF5 says of a full disk is many lines; the error is one, and an older file stays."""
    net = load(tmp_path, residual_state(channels=2), image_size=(8, 8))
    out = tmp_path / "out" / "net.nir"
    out.parent.mkdir()
    out.write_text("older", encoding="utf-8")

    class Full:
        def __getattr__(self, name):
            return getattr(nir, name)

        def write(self, path, graph):
            path.write_bytes(b"half")
            raise OSError("Can't write\n (errno = 28, error message = 'No space left on device')")

    monkeypatch.setattr("sw.frontend.nir.write._package", Full)
    with pytest.raises(SpikeloomError) as error:
        sw.nir.save(net, out, lossy=True)
    assert str(error.value) == (
        f"{out}: cannot be written (No space left on device); check space and permissions"
    )
    assert [p.name for p in out.parent.iterdir()] == ["net.nir"]
    assert out.read_text(encoding="utf-8") == "older"


def test_edited_weights_win_over_the_metadata(tmp_path):
    """The arrays are what counts: 8 bits are told only of weights that still have them."""
    net = load(tmp_path, residual_state(channels=2), image_size=(8, 8))
    graph = sw.nir.to_graph(net, lossy=True)
    graph.nodes["conv1"].weight[0, 0, 0, 0] += 0.01
    nir.write(tmp_path / "out.nir", graph)
    conv = sw.load(tmp_path / "out.nir").nodes[0]
    assert conv.weight_bits is None
    np.testing.assert_array_equal(conv.weight, graph.nodes["conv1"].weight)


def test_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = str(FIXTURES / "q8.weights.npz")
    to = ["--out", "q8.nir"]
    assert main([source, *to, "--image-size", "28"]) == 1
    assert "--lossy" in capsys.readouterr().err
    assert main([source, *to, "--image-size", "28", "--lossy", "--dt", "0.001"]) == 0
    assert capsys.readouterr().out.endswith("written: q8.nir\n")
    assert main(["q8.nir", "--steps", "3"]) == 0
    shown = capsys.readouterr().out
    for line in (
        "q8: NIR graph, 10 layers of weights",
        "76288 binary",
        "steps            3",
        "dt               0.001",
        "state_bits       8",
    ):
        assert line in shown
    back = sw.load("build/convert/q8.nir")
    assert (back.steps, back.meta["dt"]) == (3, 0.001)
    assert main(["q8.nir", "--out", "q8.safetensors"]) == 1
    assert "wanted '.nir'; name the output so" in capsys.readouterr().err
    assert main([source, "--out", "q8.safetensors", "--lossy"]) == 1
    assert "lossy is for making .nir files" in capsys.readouterr().err
    assert main(["q8.nir", "--out", "q8.nir"]) == 1
    assert "is the checkpoint itself" in capsys.readouterr().err


def test_fixture_lowers_to_the_same_integers(tmp_path):
    net = sw.load(FIXTURES / "q8.weights.npz", image_size=28)
    with np.load(FIXTURES / "q8.io.npz") as io:
        images = io["images"][:16]
    want, got = (n.lower().run(images) for n in (net, there_and_back(tmp_path, net)))
    np.testing.assert_array_equal(got.logits, want.logits)
    assert got.scale == want.scale
