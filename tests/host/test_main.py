"""``python -m sw.host``."""

import dataclasses

import numpy as np
import pytest

import boards
import sw
from hw.arch import SpikeloomError, isa, schedule
from hw.arch.link import Command
from sw.compiler.program import Forecast, Label
from sw.frontend.loader import DEFAULT
from sw.host import Device, self_test
from sw.host import __main__ as cli
from tests.host.cores import ROWS_8, loaded
from tests.host.virtual import CONFIG, Core, VirtualDevice, image, logits, program


def test_default_program_is_the_one_that_a_build_takes(host):
    config = boards.get("arty_a7").config
    core = Core(sw.load(DEFAULT).lower().compile(config))
    status, out, _ = host(core, "bench", "--images", 1)
    assert status == 0
    assert out.startswith(f"{DEFAULT} on the device, image ")
    assert host(core, "info")[1].endswith(f"holds {DEFAULT}\n")


def test_command_line(monkeypatch, capsys, tmp_path):
    virtual = VirtualDevice(CONFIG, answer=logits)
    monkeypatch.setattr(cli, "open_port", lambda port, baud: Device(virtual))
    np.save(tmp_path / "image.npy", image())
    words = isa.encode(isa.Op.HALT)  # what is read must be a program
    (total,) = schedule.program_cycles(CONFIG, isa.instructions(words))
    virtual.cycles = total
    whole = program(
        words=np.array(words, np.uint32),
        labels=(Label(layer="(end)", op="HALT"),),
        forecast=(Forecast(layer="(end)", op="HALT", cycles=total),),
    )
    whole.save(tmp_path / "program.npz")
    where = str(tmp_path / "program.npz")
    cli.run(["--port", "x", "info"])
    out = capsys.readouterr().out
    assert "clock 50 MHz" in out
    assert "holds none of the shipped networks" in out
    cli.run(["--port", "x", "load", where])
    held = len(virtual.memory)
    assert held == len(whole.load_stream())
    cli.run(["--port", "x", "infer", str(tmp_path / "image.npy"), "--model", where, "--loaded"])
    out = capsys.readouterr().out
    assert "class 2\n" in out
    assert "logits 2.5000 -3.5000" in out
    assert f"{total} cycles, {total / 50e3:.3f} ms at 50 MHz" in out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["infer"], 2, "IMAGE"),
        (["--port", "/dev/none", "info"], 1, "error: cannot open serial port '/dev/none'"),
        (
            ["--port", "/dev/none", "--baud", "9600", "info"],
            2,
            "argument --baud: '9600' is not a number of bits per second, wanted a whole number "
            "from 1000000, such as 1000000",
        ),
        (["--port", "/dev/none", "load", "/none.npz"], 1, "/none.npz"),
    ],
)
def test_command_line_errors(arguments, status, message, capsys):
    if status == 2:
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2
    else:
        assert cli.main(arguments) == status
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_infer_warns_in_one_line(host, program, tmp_path, flipped):
    program.save(tmp_path / "p.npz")
    words = ("infer", "digits:3", "--program", tmp_path / "p.npz")
    status, out, err = host(flipped, *words, "--loaded")
    assert status == 0
    (line,) = err.splitlines()
    assert line.startswith("warning: the device took ")
    assert f"is {program.cycles}: it holds another program or a damaged one" in line
    assert "load the program again" in line
    status, out, err = host(flipped, *words)  # loaded again, all is well
    assert (status, err) == (0, "")
    assert "class 7, label 7: right\n" in out


def test_selftest_command(host, program, tmp_path, flipped):
    program.save(tmp_path / "p.npz")
    known = ("--program", tmp_path / "p.npz", "--network", "digits-qsnn")
    status, out, err = host(Core(program), "selftest", *known, "--images", 4)
    assert (status, err) == (0, "")
    assert "images digits:0 to digits:3" in out
    assert "labels  7 9 4 7\nright 4 of 4 (100.00 %)\n" in out
    assert "passed: logits of all 4 images are those of the golden model, cycles those of" in out
    status, out, _ = host(Core(program), "selftest", "--program", tmp_path / "p.npz")
    assert status == 0
    assert "those of the interpreter" in out
    assert out.endswith("give it by --network\n")
    status, out, _ = host(Core(program), "selftest", "--network", "digits-qsnn")
    assert status == 0
    assert "all 10 images are those of the golden model" in out
    status, out, _ = host(flipped, "selftest", *known, "--loaded", "--images", 2)
    assert status == 1
    assert out.count("DIFFERENT: image digits:") == 2
    assert f"cycles, forecast {program.cycles}" in out
    assert "FAILED: 2 of 2 images differ" in out
    assert "load the program again (without --loaded)" in out


def test_selftest_of_a_data_set_that_is_not_there(host, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    tiny = sw.load("mnist-tiny").lower().compile(ROWS_8)
    status, out, err = host(Core(tiny), "selftest", "--network", "mnist-tiny", "--images", 2)
    assert status == 0
    assert err.startswith("note: noise instead of images: mnist: ")
    assert "images noise:0 to noise:1" in out
    assert "labels are not known" in out
    assert "all 2 images are those of the golden model" in out


def test_a_network_that_is_not_the_programs(host, network, program, images, tmp_path):
    _, device = loaded(program)
    with pytest.raises(SpikeloomError, match="'digits' is not the one that program 'digits-qsnn'"):
        self_test(device, program, images, sw.load("digits").lower())
    head = dataclasses.replace(network.head, bias=network.head.bias + 4096)
    other = network.replace(layers=(*network.layers[:-1], head), name="other")
    faults = self_test(device, program, images, other).faults
    assert len(faults) == 3
    assert "'other' compiles to another program than this one: is it the network" in faults[0]
    program.save(tmp_path / "p.npz")
    status, out, err = host(
        Core(program), "selftest", "--program", tmp_path / "p.npz", "--network", "digits"
    )
    assert (status, out) == (1, "")
    assert err.startswith("error: network 'digits' is not the one that program 'digits-qsnn'")
    words = ("--program", tmp_path / "p.npz", "--network", tmp_path / "p.npz")
    status, _, err = host(Core(program), "selftest", *words)
    assert status == 1
    assert "p.npz' is a compiled program; give the network that it was compiled from" in err


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", ""])
def test_number_of_images(number, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--port", "x", "selftest", f"--images={number}"])
    assert caught.value.code == 2
    assert f"{number!r} is no number of images; give a whole number from 1, such as" in (
        capsys.readouterr().err
    )


def test_interrupt(monkeypatch, capsys):
    def stop(port, baud):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "open_port", stop)
    assert cli.main(["--port", "x", "info"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_what_the_device_holds_is_not_loaded_again(host, program):
    core, _ = loaded(program)
    core.commands.clear()
    status, out, _ = host(core, "infer", "digits:3")
    assert status == 0
    assert "class 7, label 7: right\n" in out
    writes = core.commands.count(Command.WRITE) + core.commands.count(Command.WRITE_BYTES)
    assert writes == ROWS_8.rows  # the image's, a bank each
    assert Command.CRC in core.commands


def test_another_programs_board_is_loaded_anew(host, program, network):
    core = Core(program)
    Device(core).load(sw.load("digits").lower().compile(ROWS_8))
    status, out, err = host(core, "infer", "digits:3", "digits:5", "--model", "digits-qsnn")
    assert (status, err) == (0, "")
    assert out == "digits:3: class 7, label 7: right\ndigits:5: class 2, label 2: right\n"


def test_test(host, program, tmp_path):
    core, _ = loaded(program)
    status, out, _ = host(core, "test", "--images", 12)
    assert status == 0
    assert "digits-qsnn on the device, images digits:0 to digits:11\n" in out
    assert "\nlabel | 0 1 2" in out
    assert "of 12 (" in out
    assert " images per second; the core alone " in out
    first, later = program.first_cycles, program.cycles
    assert f"cycles {later} and {first}, forecast {later} and {first}, all as forecast\n" in out


def test_a_folder_of_images(host, program, images, tmp_path):
    core, _ = loaded(program)
    for n, label in enumerate((7, 9, 1)):  # of which the last is wrong
        folder = tmp_path / "shots" / str(label)
        folder.mkdir(parents=True)
        np.save(folder / f"{n}.npy", images[n])
    (tmp_path / "shots" / "notes.txt").write_text("no image", encoding="utf-8")
    status, out, _ = host(core, "test", tmp_path / "shots")
    assert status == 0
    assert "right 2 of 3 (66.67 %); wrong: " in out
    assert "1/2.npy (label 1, class 4)" in out
    status, out, _ = host(core, "infer", tmp_path / "shots")
    assert out.count(": right\n") == 2
    (tmp_path / "empty").mkdir()
    status, out, err = host(core, "infer", tmp_path / "empty")
    assert (status, out) == (1, "")
    assert "empty' holds no image; images are .npy" in err


def test_an_image_that_does_not_fit_is_told_before_anything_is_written(host, program, tmp_path):
    core = Core(program)
    np.save(tmp_path / "wide.npy", np.zeros((16, 20), np.uint8))
    status, out, err = host(core, "infer", tmp_path / "wide.npy", "--model", "digits-qsnn")
    assert (status, out, core.memory) == (1, "", {})
    assert "has shape [16, 20], but the network reads [1, 16, 16]; resize it" in err


def test_a_stream_needs_its_network(host, program, tmp_path):
    np.save(tmp_path / "f.npy", np.zeros((2, 1, 16, 16), np.uint8))
    status, _, err = host(Core(program), "stream", tmp_path / "f.npy")
    assert status == 1
    assert "name the network or the stream program by --model" in err
    stream = sw.load("digits-qsnn").lower(stream=True).compile(ROWS_8)
    core = Core(stream)
    status, out, _ = host(core, "stream", tmp_path / "f.npy", "--model", "digits-qsnn")
    assert status == 0
    assert out.startswith("step 1: class ")
    assert out.count("\n") == 2


def test_a_test_sequence_as_a_stream(host, vowels):
    """The class after each frame, and at the end whether that of all frames is right."""
    network = sw.load("vowels-qsnn").lower()
    core = Core(network.compile(ROWS_8))
    for n, length in enumerate(vowels.test_lengths.tolist()):
        status, out, err = host(core, "stream", f"vowels:{n}", "--model", "vowels-qsnn")
        assert (status, err) == (0, "")
        *steps, last = out.splitlines()
        totals = network.run(vowels.test_images[n, :length]).logits.cumsum(axis=0)
        assert len(steps) == length
        for step, total in zip(steps, totals, strict=True):
            assert f", so far {total.argmax()}, " in step
        found = totals[-1].argmax()
        right = "right" if found == n else "WRONG"
        assert last == f"vowels:{n}: class {found} after {length} frames, label {n}: {right}"
    status, out, _ = host(core, "test", "--images", "3")
    assert status == 0
    whole = network.run_sequences(vowels.test_images, vowels.test_lengths).predictions
    told = " ".join(map(str, whole))
    assert out.startswith(
        f"vowels-qsnn on the device, images vowels:0 to vowels:2\nclasses {told}\nlabels  0 1 2\n"
        f"right {(whole == np.arange(3)).sum()} of 3 "
    )
    status, _, err = host(core, "test", "--images", "4")
    assert status == 1
    assert "--images is 4, wanted 1 to 3, the test sequences of vowels" in err
    status, out, _ = host(core, "selftest", "--images", "7")
    assert status == 0
    assert "vowels-qsnn on the device, images vowels:0, frame 0 to vowels:2, frame 0\n" in out
    assert "labels are not known" in out
    assert host(core, "info")[1].endswith("holds vowels-qsnn\n")
