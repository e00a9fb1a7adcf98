"""``sim.run`` and its command line."""

import runpy
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import sim
import sw
from hw.arch import Config, SpikeloomError
from sw.data.digits import load_digits

#: The module; importing it would put it in the place of the function `sim.run`.
run_command = SimpleNamespace(**runpy.run_module("sim.run"))


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


def test_several_images(program, tmp_path):
    program.save(tmp_path / "p.npz")
    done = command(tmp_path / "p.npz", "--images", 3)
    assert done.returncode == 0, done.stderr
    classes = sw.load("digits").lower().run(load_digits().test_images[:3]).predictions
    assert "images digits:0 to digits:2" in done.stdout
    assert f"classes {' '.join(map(str, classes))}\n" in done.stdout
    assert f"cycles {program.cycles} simulated, {program.cycles} forecast for each" in done.stdout


def args(*words):
    return run_command._parser().parse_args(list(words))


def test_own_data_set(monkeypatch, tmp_path, capsys):
    """Which images a network gets, by the data set it names; without simulation."""
    program, data = run_command._program(args("mnist-tiny", "--board", "arty_a7"))
    assert (data, run_command._data(program.input_shape, data)) == ("mnist", "mnist")
    assert run_command._data((1, 16, 16), "") == "digits"
    assert run_command._data((1, 14, 14), "") == run_command._data((3, 32, 32), "n-mnist") == ""
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    name, image = run_command._image(None, (1, 14, 14), "mnist")
    assert (name, image.shape, image.dtype) == ("noise", (1, 14, 14), np.uint8)
    said = capsys.readouterr().err
    assert said.startswith("note: noise instead of an image: mnist: ")
    assert said.endswith("run python -m sw.data fetch mnist\n")
    assert run_command._image(None, (3, 32, 32), "")[0] == "noise"
    assert run_command._image("3", (1, 16, 16), "digits")[0] == "digits:3"
    for asked in ("0", "mnist:0"):  # an image that is asked for is never noise
        with pytest.raises(SpikeloomError, match=r"run python -m sw\.data fetch mnist"):
            run_command._image(asked, (1, 14, 14), "mnist")
    with pytest.raises(SpikeloomError, match=r"run python -m sw\.data fetch mnist"):
        run_command._images(3, (1, 14, 14), "mnist")
    with pytest.raises(SpikeloomError, match="image 3: the network names no data set of still"):
        run_command._image("3", (3, 32, 32), "")
    with pytest.raises(SpikeloomError, match="--images: the network names no data set of still"):
        run_command._images(3, (3, 32, 32), "")
    for count in (0, 361):
        with pytest.raises(SpikeloomError, match=f"--images is {count}, wanted 1 to 360"):
            run_command._images(count, (1, 16, 16), "digits")


def test_own_images_of_a_fetched_data_set(fetched):
    fetched("mnist")
    name, image = run_command._image(None, (1, 28, 28), "mnist")
    assert name == "mnist:0"
    several, images = run_command._images(20, (1, 28, 28), "mnist")
    assert (several, images.shape) == ("mnist:0 to mnist:19", (20, 1, 28, 28))
    assert images[0].tolist() == image.tolist()


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
        (["digits", "--image", "3", "--images", "3"], 2, "not allowed with"),
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
