"""``sim.run`` and its command line."""

import subprocess
import sys

import numpy as np
import pytest

import sim
import sw
from hw.arch import Config, SpikeloomError
from sw.data.digits import load_digits


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "sim.run", *map(str, arguments)],
        text=True, capture_output=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def program():
    return sw.load("digits").lower().compile(Config())


def test_result(program):
    images = load_digits().test_images[:3]
    result = sim.run(program, images, check=True)
    golden = sw.load("digits").lower().run(images)
    assert result.logits.tolist() == golden.logits.tolist()
    assert (result.logits.dtype, result.scale) == (golden.logits.dtype, golden.scale)
    assert result.cycles.tolist() == [program.cycles] * 3
    assert result.mismatches == ()
    assert result.writes > 3 * 10_000
    unchecked = sim.run(program, images[:, 0])  # [B, H, W], without comparison
    assert unchecked.logits.tolist() == golden.logits.tolist()
    assert unchecked.writes == 0


def test_a_mismatch_is_told(program, monkeypatch):
    """Compared with the interpretation of another image, the first pixel spike differs."""
    from sim import compare

    interpret = compare.interpret
    monkeypatch.setattr(compare, "interpret", lambda p, images: interpret(p, 255 - images))
    (found,) = sim.run(program, load_digits().test_images[:1], check=True).mismatches
    assert found.layer == "patch_embed.block0_conv"
    assert found.step == 0


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
    [("x.ghw", "must end in .vcd or .fst"), ("no/such/folder/x.vcd", "folder does not exist")],
)
def test_bad_wave(program, name, message):
    with pytest.raises(SpikeloomError, match=message):
        sim.run(program, load_digits().test_images[:1], wave=name)


def test_command_line(program, tmp_path):
    program.save(tmp_path / "p.npz")
    done = command(tmp_path / "p.npz", "--image", 3)
    assert done.returncode == 0, done.stderr
    assert f"cycles {program.cycles} simulated, {program.cycles} forecast" in done.stdout
    assert "image digits:3" in done.stdout
    assert "no mismatch: all " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["digits", "--board", "nexys"], 1, "arty_a7"),
        (["digits", "--image", "none.png"], 1, "cannot read image"),
        (["no_such_model"], 1, "no_such_model"),
        (["digits", "--config", "rows=5"], 1, "rows = 5"),
        ([], 2, "usage"),
    ],
)
def test_command_line_errors(arguments, status, message):
    done = command(*arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_waveform(program, tmp_path):
    """A core that can write waveforms is a simulator of its own: a minute more to compile."""
    program.save(tmp_path / "p.npz")
    done = command(tmp_path / "p.npz", "--wave", tmp_path / "x.vcd")
    assert done.returncode == 0, done.stderr
    head = (tmp_path / "x.vcd").open().read(200_000)
    assert "$scope module core" in head
    assert "$enddefinitions" in (tmp_path / "x.vcd").read_text()
