"""Host driver against a model of the device."""

import dataclasses
import os
import sys

import numpy as np
import pytest

from hw.arch import Config, SpikeloomError, link
from hw.arch.link import Command
from hw.arch.memmap import Mem, Stopped, load_addr
from sw.compiler.program import Program
from sw.host import Device, open_port
from sw.host.exchange import NoReply, Refused
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
    assert virtual.commands.count(Command.WRITE_BYTES) >= -(-256 // link.MAX_BYTES)


def flip(at):
    return lambda data: data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


FAULTS = {
    "end": flip(0),
    "code": flip(1),
    "sequence": flip(2),
    "tag": flip(3),
    "crc": flip(-3),
    "last": flip(-1),
    "cut": lambda data: data[:-1],
    "lost": lambda data: b"",
    "noise": lambda data: b"\x00\xff" + data,
    "doubled": lambda data: data + data,
    "ends": lambda data: data[:4] + bytes([link.END]) + data[4:],
}


class Nth:
    """Changes the bytes of one write, or of what it is answered."""

    def __init__(self, number, change):
        self.number, self.change, self.count = number, change, 0

    def __call__(self, data):
        if data:
            self.count += 1
            if self.count == self.number:
                return self.change(data)
        return data


@pytest.mark.parametrize("side", ["there", "back"])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_in_any_frame_is_mended(side, fault):
    """Whichever frame is damaged, memories and logits are right, and the core ran once."""
    small = program(columns=np.full((16, 1, 2), 7, np.uint32))
    clean = VirtualDevice(CONFIG, answer=logits, there=(counter := Nth(0, None)))
    Device(clean).load(small)
    Device(clean).infer(small, image())
    assert counter.count > 20
    for number in range(1, counter.count, 3):
        virtual = VirtualDevice(CONFIG, answer=logits, **{side: Nth(number, FAULTS[fault])})
        device = Device(virtual)
        device.load(small)
        assert device.infer(small, image()).logits.tolist() == LOGITS
        assert virtual.memory == clean.memory
        assert virtual.starts == 1


def test_refusal_is_told():
    device = Device(VirtualDevice(CONFIG, polls=1 << 30))
    device.link.start()
    with pytest.raises(Refused, match="the device refuses READ: its core is running"):
        device.read(0, 1)


def test_core_that_is_stopped_by_its_limit():
    virtual = VirtualDevice(CONFIG)

    def stop():
        virtual.busy, virtual.stopped, virtual.cycles = False, Stopped.WATCHDOG, virtual.limit

    virtual.run_on = stop
    with pytest.raises(SpikeloomError, match=r"2468 cycles and is not done; the forecast .* 1234"):
        Device(virtual).infer(program(), image())


def test_core_that_hangs():
    """And without a limit: the wait ends, and so does the run, by the advice of a new session."""
    device = Device(VirtualDevice(CONFIG, polls=1 << 30))
    with pytest.raises(NoReply, match="is there, but does not answer RESULT: its core runs on"):
        device.infer(program(), image())
    assert not device.link.abort().busy


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
    other = VirtualDevice(CONFIG)
    other.endpoint.identity = b"hello"
    with pytest.raises(SpikeloomError, match="the device answers b'hell'"):
        _ = Device(other).identity


def test_no_such_port():
    with pytest.raises(SpikeloomError, match="cannot open serial port '/dev/none': "):
        open_port("/dev/none", 2_000_000)


@pytest.mark.parametrize("most", [1_000_000, 2_000_000, 3_000_000])
def test_the_rate_is_not_above_what_is_asked(most):
    virtual = VirtualDevice(CONFIG)
    assert Device(virtual, most).identity.config == CONFIG
    assert virtual.endpoint.baud == most


def test_no_pyserial(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(SpikeloomError, match="pyserial is not installed"):
        open_port("/dev/none")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo terminal")
def test_serial_port_for_real():
    """Through pyserial and a pseudo terminal: bytes pass, and a silent line is told."""
    import select
    import threading
    import tty

    master, slave = os.openpty()
    tty.setraw(master)
    virtual, stop = VirtualDevice(CONFIG), threading.Event()
    virtual.set_baud = lambda baud: None

    def board():
        while not stop.is_set():
            if select.select([master], [], [], 0.02)[0]:
                virtual.baud = virtual.endpoint.baud  # a pseudo terminal has all rates
                virtual.write(os.read(master, 10_000))
                os.write(master, virtual.read(0))

    thread = threading.Thread(target=board, daemon=True)
    thread.start()
    device = open_port(os.ttyname(slave))
    assert device.identity.config == CONFIG
    device.link.write(load_addr(Mem.PIX, 0), np.arange(300))
    assert device.read(0, 300).tolist() == list(range(300))
    stop.set()
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
