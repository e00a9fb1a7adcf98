"""``sim.run`` and its command line."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

import boards
import sw
from hw.arch import SpikeloomError
from sim.simulate import Simulated
from sim.testbench import SimulationError
from sw.data.digits import load_digits
from sw.host import samples
from sw.page.source import check_report, checked
from tests.sim.digits import other_head

run_command = importlib.import_module("sim.run")


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "sim.run", *map(str, arguments)],
        text=True,
        capture_output=True,
        check=False,
        encoding="utf-8",
    )


def test_several_images(program, tmp_path):
    program.save(tmp_path / "p.npz")
    done = command(tmp_path / "p.npz", "--images", 3)
    assert done.returncode == 0, done.stderr
    classes = sw.load("digits").lower().run(load_digits().test_images[:3]).predictions
    assert "images digits:0 to digits:2" in done.stdout
    told = " ".join(map(str, classes))
    assert f"classes {told}\nlabels  {told}\nright 3 of 3 (100.00 %)\n" in done.stdout
    assert f"cycles {program.cycles} simulated, {program.cycles} forecast for each" in done.stdout


def test_own_data_set(monkeypatch, tmp_path, capsys):
    """Which images a network gets, by the data set it names; without simulation."""
    tiny = sw.load("mnist-tiny").lower()
    shape = (1, 14, 14)
    assert samples.own_data(shape, tiny.meta["data"]) == "mnist"
    assert samples.own_data((1, 16, 16), None) == "digits"
    assert samples.own_data(shape, "") == samples.own_data((3, 32, 32), "n-mnist") == ""
    assert samples.own_data((3, 32, 32), ["mnist"]) == ""
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    found = samples.one_image(None, shape, 10, "mnist")
    assert (found.title, found.pixels.shape, found.labels) == ("image noise:0", (1, *shape), ())
    assert found.pixels.dtype == np.uint8
    said = capsys.readouterr().err
    assert said.startswith("note: noise instead of an image: mnist: ")
    assert said.endswith("run python -m sw.data fetch mnist\n")
    assert samples.one_image(None, (3, 32, 32), 10, "").names == ("noise:0",)
    three = samples.one_image("3", (1, 16, 16), 10, "digits")
    assert (three.names, three.labels) == (("digits:3",), (7,))
    assert samples.one_image("digits:3", (1, 16, 16), 4, "").labels == ()  # of other classes
    for asked in ("0", "mnist:0"):  # an image that is asked for is never noise
        with pytest.raises(SpikeloomError, match=r"run python -m sw\.data fetch mnist"):
            samples.one_image(asked, shape, 10, "mnist")
    with pytest.raises(SpikeloomError, match=r"run python -m sw\.data fetch mnist"):
        samples.first_images(3, shape, 10, "mnist")
    with pytest.raises(SpikeloomError, match="image 3: the network names no data set of still"):
        samples.one_image("3", (3, 32, 32), 10, "")
    with pytest.raises(SpikeloomError, match="--images: the network names no data set of still"):
        samples.first_images(3, (3, 32, 32), 10, "")
    with pytest.raises(SpikeloomError, match="--images is 361, wanted 1 to 360"):
        samples.first_images(361, (1, 16, 16), 10, "digits")


def test_own_images_of_a_fetched_data_set(fetched):
    fetched("mnist")
    one = samples.one_image(None, (1, 28, 28), 10, "mnist")
    assert (one.names, one.labels) == (("mnist:0",), (7,))
    several = samples.first_images(20, (1, 28, 28), 10, "mnist")
    assert (several.title, several.pixels.shape) == ("images mnist:0 to mnist:19", (20, 1, 28, 28))
    assert several.pixels[0].tolist() == one.pixels[0].tolist()
    assert several.labels[:5] == (7, 2, 1, 0, 4)


def main(capsys, *arguments):
    """Run the command in this process; its status and what it says."""
    status = run_command.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return status, out, err


def test_what_was_compared(program, tmp_path, capsys):
    program.save(tmp_path / "p.npz")
    status, out, err = main(capsys, tmp_path / "p.npz", "--image", "3")
    assert (status, err) == (0, "")
    assert "class 7, label 7: right\n" in out
    assert "memory writes are the interpreter's, logits those of the interpreter, cycles" in out
    assert out.endswith("give it by --network\n")
    status, out, _ = main(capsys, tmp_path / "p.npz", "--image", "3", "--network", "digits")
    assert status == 0
    assert "logits those of the interpreter and the golden model, cycles the forecast's" in out
    assert "--network" not in out
    status, out, _ = main(capsys, "digits", "--image", "3")
    assert status == 0
    assert "logits those of the interpreter and the golden model, cycles the forecast's" in out


def test_a_difference_from_the_golden_model_fails(program, tmp_path, capsys):
    network = sw.load("digits").lower()
    program.save(tmp_path / "p.npz")
    other_head(network).save(tmp_path / "n.npz")
    words = (tmp_path / "p.npz", "--network", tmp_path / "n.npz", "--images", "2")
    status, out, _ = main(capsys, *words)
    assert status == 1
    assert "FIRST MISMATCH: image 0: logits differ from the golden model: it gives [" in out
    assert "2 of 2 images differ" in out
    assert "no mismatch" not in out


def test_a_wrong_class_is_told(program, capsys, monkeypatch):
    """Of a network that mistakes some images: which, and what they are."""
    monkeypatch.setattr(samples, "_labels", lambda *_: np.array([7, 9, 3, 7]))
    status, out, _ = main(capsys, "digits", "--images", "4")
    assert status == 0
    assert "right 3 of 4 (75.00 %); wrong: digits:2 (label 3, class 4)\n" in out
    _, out, _ = main(capsys, "digits", "--image", "2")
    assert "class 4, label 3: WRONG\n" in out


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
        (["digits", "--images", "0"], 2, "'0' is no number of images; give a whole number from 1"),
        (["digits", "--images", "few"], 2, "'few' is no number of images; give a whole number"),
        (["digits", "--network", "digits"], 1, "--network is for a compiled program"),
        (["none.npz", "--network", "digits"], 1, "none.npz: no such file"),
        (["digits", "--wave", "x.png"], 1, "must end in .vcd or .fst"),
    ],
)
def test_command_line_errors(arguments, status, message):
    done = command(*arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_steps_of_a_stream_have_no_labels(capsys):
    status, out, _ = main(capsys, "digits-qsnn", "--stream", "--images", "3")
    assert status == 0
    assert "golden model, cycles the forecast's" in out
    assert "label" not in out
    assert "right" not in out


def test_a_sequence_is_a_stream(capsys, vowels, tmp_path):
    """All frames of one, or the first of several in a row; with and without the option."""
    status, out, _ = main(capsys, "vowels-qsnn", "--image", "2")
    assert status == 0
    assert "images vowels:2, frame 0 to vowels:2, frame 2\n" in out
    q = sw.load("vowels-qsnn").lower()
    found = q.run_sequences(vowels.test_images[2:], vowels.test_lengths[2:]).predictions[0]
    assert f"vowels:2: class {found} after 3 frames, label 2: " in out
    assert "golden model, cycles the forecast's" in out
    status, out, _ = main(capsys, "vowels-qsnn", "--stream", "--images", "5")
    assert status == 0
    assert "images vowels:0, frame 0 to vowels:1, frame 0\n" in out
    assert "label" not in out
    assert "no mismatch: all " in out


def test_errors_of_a_program(program, tmp_path, capsys):
    program.save(tmp_path / "p.npz")
    for option in (["--fit"], ["--board", "ulx3s"], ["--config", "rows=8"]):
        status, _, err = main(capsys, tmp_path / "p.npz", *option)
        assert status == 1
        assert "is a compiled program and has its core with it; leave out --board" in err
    status, _, err = main(capsys, tmp_path / "p.npz", "--network", "digits-qsnn")
    assert status == 1
    assert err.startswith("error: network 'digits-qsnn' is not the one that program 'digits' was")
    status, _, err = main(capsys, tmp_path / "p.npz", "--network", tmp_path / "p.npz")
    assert status == 1
    assert "is a compiled program; give the network that it was compiled from" in err
    status, _, err = main(capsys, tmp_path / "p.npz", "--stream")
    assert status == 1
    assert "is compiled for whole images, not for a stream; leave out --stream" in err
    whole = (tmp_path / "p.npz").read_bytes()
    (tmp_path / "p.npz").write_bytes(whole[: len(whole) // 2])
    status, _, err = main(capsys, tmp_path / "p.npz")
    assert status == 1
    assert err.startswith("error: ")


def test_simulation_that_fails(program, tmp_path, capsys, monkeypatch):
    from sim import simulate

    def hang(simulator, folder, log, wave=None):
        if wave is not None:
            wave.write_text("up to here", encoding="utf-8")
        raise SimulationError("run 0: still busy")

    monkeypatch.setattr(simulate, "run_free", hang)
    assert main(capsys, "digits") == (1, "", "simulation failed: run 0: still busy\n")
    monkeypatch.setattr(simulate.verilator, "build", lambda config, wave: None)
    status, _, err = main(capsys, "digits", "--wave", tmp_path / "x.vcd")
    assert status == 1
    assert err == (
        "simulation failed: run 0: still busy; the waveform up to there is in "
        f"{tmp_path / 'x.vcd'}\n"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["x.vcd"]


def test_no_space_for_temporary_files(capsys, monkeypatch):
    from sim import simulate

    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(simulate.tempfile, "TemporaryDirectory", full)
    monkeypatch.setattr(simulate.verilator, "build", lambda config, wave: None)
    status, out, err = main(capsys, "digits")
    assert (status, out) == (1, "")
    assert err == (
        "error: the folder of temporary files: cannot be written (No space left on device); free "
        "space there, or set TMPDIR to a folder with more\n"
    )


def test_interrupted_waveform_leaves_nothing(tmp_path, capsys, monkeypatch):
    from sim import simulate

    def stop(simulator, folder, log, wave):
        wave.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "run_free", stop)
    monkeypatch.setattr(simulate.verilator, "build", lambda config, wave: None)
    status = main(capsys, "digits", "--wave", tmp_path / "x.vcd")
    assert status == (130, "", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_waveform(program, tmp_path):
    """A core that can write waveforms is a simulator of its own: a minute more to compile."""
    program.save(tmp_path / "p.npz")
    done = command(tmp_path / "p.npz", "--wave", tmp_path / "x.vcd")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"wrote {tmp_path / 'x.vcd'}, the waveform\n")
    head = (tmp_path / "x.vcd").open(encoding="utf-8").read(200_000)
    assert "$scope module core" in head
    assert "$enddefinitions" in (tmp_path / "x.vcd").read_text(encoding="utf-8")


def test_record_has_the_schema_of_builds(program):
    """A simulation's report, with a board's clock and without; a page reads both."""
    counted = np.array([program.first_cycles, program.cycles])
    result = Simulated(logits=np.zeros((2, 10), np.int64), cycles=counted, writes=7)
    told = run_command.record(program, result, None)
    assert check_report(told, "x") is told
    assert told["cycles"] == {"kind": "simulated", "total": program.cycles}
    assert checked(told).cycles == tuple(counted.tolist())
    told = check_report(run_command.record(program, result, boards.get("ulx3s")), "x")
    assert told["cycles"]["latency_ms"] == round(1e3 * program.cycles / 50e6, 4)
