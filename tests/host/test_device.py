"""Host driver against a model of the device."""

import dataclasses
import os
import sys

import numpy as np
import pytest

from hw.arch import Config, SpikeloomError, link
from hw.arch.link import Command
from hw.arch.memmap import Mem, load_addr
from sw.compiler.program import Program
from sw.host import Device, open_port
from sw.host.device import RETRIES
from tests.host.virtual import CONFIG, LOGITS, VirtualDevice, image, logits, program


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


def test_no_such_port():
    with pytest.raises(SpikeloomError, match="cannot open serial port '/dev/none' at 9600 baud"):
        open_port("/dev/none", 9600)


def test_no_pyserial(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(SpikeloomError, match="pyserial is not installed"):
        open_port("/dev/none")


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


def test_the_warning(program, images, flipped):
    with pytest.warns(UserWarning, match="load the program again") as caught:
        answer = Device(flipped).infer(program, images[0])
    text = str(caught[0].message)
    assert f"took {answer.cycles} cycles, the forecast of 'digits-qsnn' is {program.cycles}" in text
    assert caught[0].filename == __file__
