"""``sim.run``: logits, cycles and comparisons of images on RTL."""

import dataclasses

import numpy as np
import pytest

import sim
import sw
from hw.arch import SpikeloomError
from sw.data.digits import load_digits
from tests.sim.digits import other_head


def test_result(program):
    images = load_digits().test_images[:3]
    result = sim.run(program, images, check=True)
    golden = sw.load("digits").lower().run(images)
    assert result.logits.tolist() == golden.logits.tolist()
    assert (result.logits.dtype, result.scale) == (golden.logits.dtype, golden.scale)
    assert result.cycles.tolist() == [program.cycles] * 3
    assert result.mismatches == ()
    assert result.writes > 3 * 10_000
    assert result.compared == ("interpreter", "forecast")
    unchecked = sim.run(program, images[:, 0])  # [B, H, W], without comparison
    assert unchecked.logits.tolist() == golden.logits.tolist()
    assert (unchecked.writes, unchecked.compared) == (0, ())


def test_a_mismatch_is_told(program, monkeypatch):
    """Compared with the interpretation of another image, the first pixel spike differs."""
    from sim import compare

    interpret = compare.interpret
    monkeypatch.setattr(compare, "interpret", lambda p, images: interpret(p, 255 - images))
    (found,) = sim.run(program, load_digits().test_images[:1], check=True).mismatches
    assert found.layer == "patch_embed.block0_conv"
    assert found.step == 0


@pytest.mark.parametrize("check", [False, True])
def test_comparison_with_the_golden_model(program, check):
    """RTL and interpreter agree on any program; the network tells whether it is the right one."""
    network = sw.load("digits").lower()
    images = load_digits().test_images[:2]
    result = sim.run(program, images, check=check, network=network)
    assert result.mismatches == ()
    assert result.compared == ("interpreter",) * check + ("golden model", "forecast")
    wrong = other_head(network)
    found = sim.run(program, images, check=check, network=wrong).mismatches
    assert [m.image for m in found] == [0, 1]
    golden = wrong.run(images).logits[0].tolist()
    assert found[0].what.startswith(f"logits differ from the golden model: it gives {golden}, cl")
    assert "'other' compiles to another program than this one: is it the network" in found[0].what
    # a compiler that is wrong makes a program whose RTL and interpreter agree
    bad = wrong.compile(program.config)
    assert sim.run(bad, images, check=True).mismatches == ()
    assert len(sim.run(bad, images, network=network).mismatches) == 2


def test_cycles_differ_from_the_forecast(program):
    network = sw.load("digits").lower()
    first, *rest = program.forecast
    longer = dataclasses.replace(first, cycles=first.cycles + 7)
    other = dataclasses.replace(program, forecast=(longer, *rest))
    (found,) = sim.run(other, load_digits().test_images[:1], network=network).mismatches
    assert found.what == (
        f"cycles differ: busy cycles {program.cycles}, forecast {program.cycles + 7}"
    )


def test_a_network_of_another_shape_is_refused(program):
    for name, other in (("digits-qsnn", "steps 2 .program 4."), ("mnist-tiny", "input .1, 14, 14")):
        with pytest.raises(SpikeloomError, match=f"'{name}' is not the one .*{other}"):
            sim.run(program, load_digits().test_images[:1], network=sw.load(name).lower())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 8, 8), np.uint8), "8x8"),
        (np.zeros((1, 16, 16), np.float32), "uint8"),
        (np.zeros((0, 16, 16), np.uint8), "empty"),
    ],
)
def test_bad_images(program, images, message):
    with pytest.raises(SpikeloomError, match=message):
        sim.run(program, images)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder.vcd", "is a folder"),
        ("x.ghw", "must end in .vcd or .fst"),
        ("no/such/folder/x.vcd", "folder does not exist"),
    ],
)
def test_bad_wave(program, name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.vcd").mkdir()
    with pytest.raises(SpikeloomError, match=message):
        sim.run(program, load_digits().test_images[:1], wave=name)
