"""Host driver against a model of the device."""

import dataclasses
import os
import sys

import numpy as np
import pytest

import boards
from hw.arch import Config, SpikeloomError, isa, link, timing
from hw.arch.link import Command
from hw.arch.memmap import Mem, load_addr
from sw.compiler.program import VERSION, Forecast, Label, Program
from sw.data import load
from sw.frontend.loader import DEFAULT
from sw.host import Device, open_port
from sw.host import __main__ as cli
from sw.host.device import RETRIES
from sw.host.image import read_image
from tests.host.virtual import VirtualDevice

CONFIG = Config(rows=8, cols=16, width=64)
LOGITS = [5, -7, 131071, -131072, 0, 1, 2, 3, 4, 9]


def program(config=CONFIG, **changes):
    rng = np.random.default_rng(0)
    fields = {
        "name": "small",
        "config": config,
        "digest": config.digest,
        "version": VERSION,
        "words": rng.integers(0, 1 << 32, 150, np.uint32),
        "columns": rng.integers(0, 1 << 32, (config.cols, 70, config.width // 32), np.uint32),
        "steps": 4,
        "input_shape": (1, 16, 16),
        "pixel_base": 100,
        "logits_base": 40,
        "classes": len(LOGITS),
        "logits_scale": 0.5,
        "labels": (),
        "regions": (),
        "ops": (),
        "forecast": (Forecast(layer="all", op="GEMM", cycles=1234),),
    }
    return Program(**{**fields, **changes})


def logits(memory):
    return {load_addr(Mem.PIX, 40 + k): v for k, v in enumerate(LOGITS)}


def image():
    return np.random.default_rng(1).integers(0, 256, (1, 16, 16)).astype(np.uint8)


def test_identify():
    identity = Device(VirtualDevice(CONFIG)).identity
    assert identity.config == CONFIG
    assert identity.digest == CONFIG.digest


def test_load_and_infer():
    virtual = VirtualDevice(CONFIG, answer=logits)
    device, counted = Device(virtual), []
    device.load(program(), counted.append)
    want = {int(a): int(d) for a, d in program().load_stream()}
    assert virtual.memory == want
    assert sum(counted) == len(want)
    answer = device.infer(program(), image())
    assert answer.logits.tolist() == LOGITS
    assert answer.prediction == 2
    assert answer.cycles == 1234
    assert answer.seconds == pytest.approx(1234 / 50e6)
    for k, v in enumerate(image().ravel().tolist()):
        assert virtual.memory[load_addr(Mem.PIX, 100 + k)] == v


def test_image_is_sent_as_bytes():
    virtual = VirtualDevice(CONFIG, answer=logits)
    Device(virtual).infer(program(), image())
    assert virtual.commands.count(Command.WRITE) == 0
    assert virtual.commands.count(Command.WRITE_BYTES) == -(-256 // link.MAX_BYTES)


def flip(at):
    return lambda data: data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


FAULTS = {
    "code": flip(1),
    "tag": flip(2),
    "longer": flip(3),
    "crc": flip(-1),
    "sync": flip(0),
    "cut": lambda data: data[:-1],
    "lost": lambda data: b"",
    "noise": lambda data: b"\x00\xff" + data,
    "doubled": lambda data: data + data,
}


@pytest.mark.parametrize("side", ["on_request", "on_reply"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_in_any_frame_is_mended(side, fault):
    """Whichever frame is damaged, memories and logits are right in the end."""
    change = FAULTS[fault]
    small = program(columns=np.full((16, 1, 2), 7, np.uint32))
    clean = VirtualDevice(CONFIG, answer=logits)
    Device(clean).load(small)
    Device(clean).infer(small, image())
    for damaged in range(clean.n_requests):
        virtual = VirtualDevice(
            CONFIG,
            answer=logits,
            polls=20,
            **{side: lambda data, n, at=damaged: change(data) if n == at else data},
        )
        device = Device(virtual)
        device.load(small)
        assert device.infer(small, image()).logits.tolist() == LOGITS
        assert virtual.memory == clean.memory
        assert virtual.starts in (1, 2)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"on_reply": lambda data, n: flip(-1)(data)}, r"the reply is damaged \(CRC\)"),
        (
            {"on_request": lambda data, n: flip(-1)(data)},
            r"the device received a damaged frame \(CRC",
        ),
        ({"on_reply": lambda data, n: b""}, "no reply; check that the device is programmed"),
        ({"on_reply": lambda data, n: data[:-2]}, "the reply stops half way"),
        ({"on_reply": lambda data, n: b"\0" * 9}, "no reply in 10 bytes of noise"),
    ],
)
def test_persistent_faults_give_up(faults, message):
    virtual = VirtualDevice(CONFIG, **faults)
    with pytest.raises(SpikeloomError, match=f"IDENTIFY failed 4 times: {message}"):
        _ = Device(virtual).identity
    assert virtual.n_requests == RETRIES + 1


def test_refusal_is_not_repeated():
    virtual = VirtualDevice(CONFIG, polls=9)
    device = Device(virtual)
    device.request(Command.START)
    with pytest.raises(SpikeloomError, match="the device refuses READ: its core is running"):
        device.read(0, 1)
    assert virtual.commands == [Command.START, Command.READ]


def test_core_that_hangs(monkeypatch):
    clock = iter(range(0, 10_000, 3))
    monkeypatch.setattr("sw.host.device.time.monotonic", lambda: next(clock))
    device = Device(VirtualDevice(CONFIG, polls=100))
    with pytest.raises(SpikeloomError, match="is not done; the forecast of 'small' is 1234"):
        device.infer(program(), image())


def test_digest_mismatch_is_refused_and_nothing_written():
    virtual = VirtualDevice(Config(rows=4, cols=16, width=64))
    device = Device(virtual)
    for action in (lambda: device.load(program()), lambda: device.infer(program(), image())):
        with pytest.raises(SpikeloomError, match=r"rows 8 \(device 4\)"):
            action()
    assert not virtual.memory
    with pytest.raises(SpikeloomError, match="another instruction set"):
        Device(VirtualDevice(CONFIG)).load(program(digest=1))


def test_wrong_image_size():
    with pytest.raises(SpikeloomError, match="Images are 8x8"):
        Device(VirtualDevice(CONFIG)).infer(program(), np.zeros((8, 8), np.uint8))


def test_channels_last_are_not_sent_as_they_are():
    """The pixels that arrive are those of a program's own order, or none do."""
    coloured = program(input_shape=(3, 4, 6), steps=1)
    image = np.random.default_rng(2).integers(0, 256, (3, 4, 6)).astype(np.uint8)
    for given in (image, image.transpose(1, 2, 0), image.astype(np.int64)):
        virtual = VirtualDevice(CONFIG, answer=logits)
        Device(virtual).infer(coloured, given)
        sent = [virtual.memory[load_addr(Mem.PIX, 100 + k)] for k in range(image.size)]
        assert sent == image.ravel().tolist()
    virtual = VirtualDevice(CONFIG, answer=logits)
    for wrong in (image.transpose(2, 1, 0), image.ravel(), image / 255):
        with pytest.raises(SpikeloomError, match="Images "):
            Device(virtual).infer(coloured, wrong)
    assert not virtual.memory


def test_not_a_spikeloom():
    class Other(VirtualDevice):
        def do(self, code, payload):
            return link.REPLY | code, b"hello"

    with pytest.raises(SpikeloomError, match="the device answers b'hell'"):
        _ = Device(Other()).identity


# ---- images


def test_images(tmp_path):
    want = image()
    np.save(tmp_path / "a.npy", want)
    np.save(tmp_path / "b.npy", want[0])
    (tmp_path / "c.pgm").write_bytes(b"P5\n# a comment\n16 16\n255\n" + want.tobytes())
    text = "P2\n16 16 # size\n255\n" + " ".join(map(str, want.ravel().tolist()))
    (tmp_path / "d.pgm").write_text(text, encoding="utf-8")
    for name in ("a.npy", "b.npy", "c.pgm", "d.pgm"):
        got = read_image(str(tmp_path / name), (1, 16, 16))
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, want)


def test_png(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    grey, colour = image()[0], np.random.default_rng(2).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    pillow.fromarray(grey).save(tmp_path / "a.png")
    pillow.fromarray(colour).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.png"), (1, 16, 16))[0], grey)
    np.testing.assert_array_equal(
        read_image(str(tmp_path / "b.png"), (3, 4, 6)), colour.transpose(2, 0, 1)
    )


def test_digits_image():
    pytest.importorskip("sklearn")
    assert read_image("digits:359", (1, 16, 16)).shape == (1, 16, 16)
    with pytest.raises(SpikeloomError, match="the index must be 0 to 359"):
        read_image("digits:360", (1, 16, 16))
    with pytest.raises(SpikeloomError, match="images of digits are square and have 1 channel"):
        read_image("digits:0", (3, 32, 32))


def test_image_of_a_fetched_data_set(fetched):
    fetched("mnist")
    test = load("mnist", 14).test_images
    np.testing.assert_array_equal(read_image("mnist:3", (1, 14, 14)), test[3])
    assert read_image("mnist:9999", (1, 28, 28)).shape == (1, 28, 28)
    for index in ("10000", "-1", "", "one"):
        with pytest.raises(SpikeloomError, match="the index must be 0 to 9999"):
            read_image(f"mnist:{index}", (1, 28, 28))


@pytest.mark.parametrize(
    ("source", "shape", "message"),
    [
        ("mnist:3", (1, 28, 28), "run python -m sw.data fetch mnist$"),
        ("fashion-mnist:7", (1, 28, 28), "run python -m sw.data fetch fashion-mnist$"),
        ("cifar10:0", (1, 32, 32), "images of cifar10 are square and have 3 channels, but"),
        ("cifar10:0", (3, 32, 32), "run python -m sw.data fetch cifar10$"),
        (
            "n-mnist:0",
            (2, 34, 34),
            "n-mnist is no data set of still images; those are digits, mnist",
        ),
        ("mnits:0", (1, 28, 28), "mnits is no data set of still images; those are digits, mnist"),
    ],
)
def test_image_of_a_data_set_that_is_not_there(monkeypatch, tmp_path, source, shape, message):
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    with pytest.raises(SpikeloomError, match=message) as error:
        read_image(source, shape)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.xyz", b"x", "is of no known kind; give .npy"),
        ("a.jpg", b"x", "is not a whole JPG file|Pillow is not installed"),
        ("a.npy", b"x", "is not a whole .npy file"),
        ("a.pgm", b"P5 16 16 255\nxx", "is not a whole PGM or PPM file"),
        ("a.pgm", b"P2 1 1 255\nxx", "is not a whole PGM or PPM file"),
        ("a.pgm", b"P5 1 1 65535\nx", "is not a whole PGM or PPM file"),
        ("a.png", b"xx", "is not a whole PNG file|Pillow is not installed"),
        ("a.pgm", b"P5 2 1 255\nxx", r"is 2x1 pixels \(width x height\), the network reads 16x16"),
    ],
)
def test_bad_images(name, data, message, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SpikeloomError, match=message):
        read_image(str(tmp_path / name), (1, 16, 16))


def test_bad_image_type(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((16, 16)))
    with pytest.raises(SpikeloomError, match="holds float64; give uint8"):
        read_image(str(tmp_path / "a.npy"), (1, 16, 16))
    with pytest.raises(SpikeloomError, match=r"cannot read image .*: No such file"):
        read_image(str(tmp_path / "b.npy"), (1, 16, 16))


# ---- ports and command line


def test_no_such_port():
    with pytest.raises(SpikeloomError, match="cannot open serial port '/dev/none' at 9600 baud"):
        open_port("/dev/none", 9600)


def test_default_program_is_the_one_that_a_build_takes():
    assert cli._default_program(boards.get("arty_a7").config).name == DEFAULT


def test_no_pyserial(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(SpikeloomError, match="pyserial is not installed"):
        open_port("/dev/none")


def test_command_line(monkeypatch, capsys, tmp_path):
    virtual = VirtualDevice(CONFIG, answer=logits)
    monkeypatch.setattr(cli, "open_port", lambda port, baud: Device(virtual))
    np.save(tmp_path / "image.npy", image())
    words = isa.encode(isa.Op.HALT)  # what is read must be a program
    (total,) = timing.program_cycles(CONFIG, isa.instructions(words))
    virtual.cycles = total
    whole = program(
        words=np.array(words, np.uint32),
        labels=(Label(layer="(end)", op="HALT"),),
        forecast=(Forecast(layer="(end)", op="HALT", cycles=total),),
    )
    whole.save(tmp_path / "program.npz")
    where = str(tmp_path / "program.npz")
    cli.run(["--port", "x", "identify"])
    assert "clock 50 MHz" in capsys.readouterr().out
    cli.run(["--port", "x", "load", where])
    held = len(virtual.memory)
    assert held == len(whole.load_stream())
    cli.run(["--port", "x", "infer", str(tmp_path / "image.npy"), "--program", where, "--loaded"])
    out = capsys.readouterr().out
    assert "class 2\n" in out
    assert "logits 2.5000 -3.5000" in out
    assert f"{total} cycles, {total / 50e3:.3f} ms at 50 MHz" in out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["infer", "x.npy"], 2, "--port"),
        (["--port", "/dev/none", "identify"], 1, "error: cannot open serial port '/dev/none'"),
        (
            ["--port", "/dev/none", "--baud", "0", "identify"],
            2,
            "argument --baud: '0' is no number of bits per second; give a whole number such as "
            "1000000",
        ),
        (["--port", "/dev/none", "load", "/none.npz"], 1, "cannot be read"),
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


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo terminal")
def test_serial_port_for_real():
    """Through pyserial and a pseudo terminal: bytes pass, and a silent line is told."""
    import threading

    master, slave = os.openpty()
    virtual = VirtualDevice(CONFIG)

    def board():
        need = len(link.frame(Command.IDENTIFY, 0))
        got = b""
        while len(got) < need:
            got += os.read(master, need - len(got))
        virtual.write(got)
        os.write(master, virtual.read(10_000))

    thread = threading.Thread(target=board, daemon=True)
    device = open_port(os.ttyname(slave), 115_200)
    thread.start()
    assert device.identity.config == CONFIG
    thread.join(5)
    assert not thread.is_alive()
    os.close(master)
    with pytest.raises(SpikeloomError, match=r"serial port .* failed: .*still connected|no reply"):
        device.status()
    os.close(slave)


def test_program_fields_used_by_the_driver_exist():
    names = {f.name for f in dataclasses.fields(Program)}
    assert {"digest", "config", "logits_base", "classes", "logits_scale", "input_shape"} <= names
