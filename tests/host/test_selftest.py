"""Devices that hold what they should not: warnings of the host, and its self-test."""

import dataclasses
import warnings

import numpy as np
import pytest

import sw
from hw.arch import Config, SpikeloomError
from sim.interpreter import Machine
from sw.host import Device, self_test
from sw.host import __main__ as cli
from sw.host.samples import Images
from tests.host.virtual import Core

CONFIG = Config(rows=8)
#: What the interpreter answers where a damaged instruction is none.
REFUSALS = (SpikeloomError, ValueError, IndexError, AssertionError, KeyError)


@pytest.fixture(scope="module")
def network():
    return sw.load("digits-qsnn").lower()


@pytest.fixture(scope="module")
def program(network):
    return network.compile(CONFIG)


@pytest.fixture(scope="module")
def images():
    from sw.data import load

    return load("digits", 16).test_images[:3]


def loaded(program):
    core = Core(program)
    device = Device(core)
    device.load(program)
    return core, device


def flips(program, count):
    rng = np.random.default_rng(0)
    return [(int(rng.integers(len(program.words))), int(rng.integers(32))) for _ in range(count)]


def answer_of(device, program, image):
    """What a damaged device answers, None where its interpreter refuses the instruction."""
    try:
        return device.infer(program, image)
    except REFUSALS:
        return None


def test_a_good_device_passes(network, program, images):
    _, device = loaded(program)
    found = self_test(device, program, images, network)
    assert found.faults == ()
    assert found.model == "golden model"
    assert found.predictions == network.run(images).predictions.tolist()
    assert {(a.cycles, a.forecast) for a in found.answers} == {(program.cycles, program.cycles)}
    alone = self_test(device, program, images)
    assert (alone.faults, alone.model) == ((), "interpreter")


def test_a_stream_begins_anew_for_each_test(images):
    network = sw.load("digits-qsnn").lower(stream=True)
    program = network.compile(CONFIG)
    _, device = loaded(program)
    for _ in range(2):
        assert self_test(device, program, images, network).faults == ()


def test_flipped_bits_of_the_program_are_found(network, program, images, bit):
    """Every flip that changes logits is found; one that changes cycles is warned of, once a run."""
    golden = network.run(images[:1]).logits[0].tolist()
    wrong = warned = 0
    for place in [bit, *flips(program, 40)]:
        core, device = loaded(program)
        core.flip(*place)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            answer = answer_of(device, program, images[0])
        if answer is None:
            continue
        assert len(said) == (answer.cycles != program.cycles)
        faults = self_test(device, program, images[:1], network).faults
        differs = answer.logits.tolist() != golden
        assert len(faults) == (differs or bool(said))
        wrong += differs
        warned += bool(said)
    assert wrong >= 5
    assert warned >= 1


@pytest.fixture(scope="module")
def bit(program, images):
    """A word and bit of program memory whose flip changes the cycles."""
    for word, bit in flips(program, 1000):
        words = program.words.copy()
        words[word] ^= np.uint32(1 << bit)
        try:
            run = Machine(dataclasses.replace(program, words=words)).run(images[0], events=False)
        except REFUSALS:
            continue
        if run.cycles != program.cycles:
            return word, bit
    raise AssertionError("no flip changes the cycles")


@pytest.fixture
def flipped(program, bit):
    core, _ = loaded(program)
    core.flip(*bit)
    return core


def test_the_warning(program, images, flipped):
    with pytest.warns(UserWarning, match="load the program again") as caught:
        answer = Device(flipped).infer(program, images[0])
    text = str(caught[0].message)
    assert f"took {answer.cycles} cycles, the forecast of 'digits-qsnn' is {program.cycles}" in text
    assert caught[0].filename == __file__


@pytest.fixture
def host(monkeypatch, capsys):
    def call(core, *arguments):
        monkeypatch.setattr(cli, "open_port", lambda port, baud: Device(core))
        status = cli.main(["--port", "x", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return call


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
    tiny = sw.load("mnist-tiny").lower().compile(CONFIG)
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
    status, _, err = host(Core(program), "selftest", "--network", tmp_path / "p.npz")
    assert status == 1
    assert "p.npz is a compiled program; give it by --program" in err


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
    assert cli.main(["--port", "x", "identify"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_accuracy_names_what_is_wrong():
    pixels = np.zeros((3, 1, 2, 2), np.uint8)
    images = Images(pixels=pixels, names=("a:0", "a:1", "a:2"), labels=(4, 5, 6))
    assert images.accuracy([4, 0, 6]) == [
        "labels  4 5 6",
        "right 2 of 3 (66.67 %); wrong: a:1 (label 5, class 0)",
    ]
    many = Images(pixels=np.zeros((30, 1)), names=("n",) * 30, labels=(1,) * 30)
    assert many.accuracy([0] * 30)[1].endswith("(label 1, class 0) and 10 more")
    assert Images(pixels=pixels, names=images.names).accuracy([1, 2, 3]) == []
