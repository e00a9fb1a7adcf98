"""Serial ports, and what else than a good device can be at one: a message each, and its advice."""

import os
import threading
import time

import numpy as np
import pytest

from hw.arch import SpikeloomError, link
from hw.arch.link import Command
from sw.host import __main__ as cli
from sw.host import open_port
from sw.host import port as module
from sw.host.device import Device
from tests.host.cores import ROWS_8
from tests.host.modelled import ENDLESS, Modelled, Other, plugged
from tests.host.virtual import CONFIG, LOGITS, Core, VirtualDevice, image, logits, program

pytestmark = pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo terminal")


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return run


def test_load_and_infer_through_a_port():
    virtual = VirtualDevice(CONFIG, answer=logits)
    with plugged(Modelled(virtual)) as terminal, open_port(terminal.port) as device:
        device.load(program())
        assert device.holds(program())
        assert device.infer(program(), image()).logits.tolist() == LOGITS
        assert device.link.baud == max(link.RATES)
    assert virtual.memory.items() >= dict(program().load_stream().tolist()).items()


def test_a_port_in_use(call):
    with plugged(Modelled(VirtualDevice(CONFIG))) as terminal:
        with open_port(terminal.port):
            status, _, err = call("--port", terminal.port, "info")
            assert status == 1
            assert f"port {terminal.port!r}: another program uses it; end that one (fuser " in err
        assert call("--port", terminal.port, "abort")[0] == 0  # it has ended


def test_a_port_that_may_not_be_used(monkeypatch):
    import serial

    def refuse(*arguments, **options):
        raise serial.SerialException(13, "could not open port: Permission denied")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(SpikeloomError, match="you may not use it; let the administrator add you"):
        open_port("/dev/ttyUSB1")


def test_unplugged_in_mid_load(tmp_path, call):
    """Whatever it held is loaded anew when the board is back."""
    virtual, port = VirtualDevice(CONFIG, answer=logits), tmp_path / "board"
    big = program(columns=np.random.default_rng(1).integers(0, 1 << 32, (16, 999, 2), np.uint32))

    with plugged(Modelled(virtual)) as terminal:
        port.symlink_to(terminal.port)
        device = open_port(str(port))

        def pull(words):
            if len(virtual.memory) > 3000:
                terminal.pull()

        began = time.monotonic()
        with pytest.raises(SpikeloomError, match=r"failed \(.*plug it in and repeat the command"):
            device.load(big, pull)
        assert time.monotonic() - began < 10
        device.close()
    assert 3000 < len(virtual.memory) < len(big.load_stream())
    port.unlink()
    with plugged(Modelled(virtual)) as terminal:
        port.symlink_to(terminal.port)
        with open_port(str(port)) as device:
            assert not device.holds(big)
            device.load(big)
            assert device.holds(big)
            assert device.infer(big, image()).logits.tolist() == LOGITS


OTHERS = {
    "silent": (lambda data: b"", r"no reply from the device in \d\.\d s; check that it is"),
    "loop": (lambda data: data, "the port sends back what it gets and no more"),
    "modem": (lambda data: b"ERROR\r\n", "is no Spikeloom device, or one at another baud rate"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_another_device(kind, call):
    answer, message = OTHERS[kind]
    began = time.monotonic()
    with (
        plugged(Other(answer)) as terminal,
        open_port(terminal.port) as device,
        pytest.raises(SpikeloomError, match=message),
    ):
        _ = device.identity
    assert time.monotonic() - began < 20


def test_something_that_speaks_unasked(monkeypatch):
    monkeypatch.setattr(module, "QUIET", 1.0)  # this machine may be slower than a GPS receiver
    board = Other(lambda data: b"")

    with plugged(board) as terminal:
        over = threading.Event()

        def chatter():
            while not over.wait(0.01):
                board.say(b"$GPGGA,123519,4807.038,N")

        thread = threading.Thread(target=chatter)
        thread.start()
        try:
            with pytest.raises(SpikeloomError, match="for 1 s something has spoken there unasked"):
                open_port(terminal.port)
        finally:
            over.set()
            thread.join()


def test_a_device_at_another_rate():
    """Its bitstream has another baud rate than every device's after reset."""
    virtual = VirtualDevice(CONFIG)
    virtual.endpoint.baud, virtual.endpoint.tick = 115_200, lambda: None
    with (
        plugged(Modelled(virtual)) as terminal,
        open_port(terminal.port) as device,
        pytest.raises(SpikeloomError, match=r"at another baud rate than 1000000|no reply"),
    ):
        _ = device.identity
    assert virtual.commands == []


def test_a_bitstream_of_version_1():
    """It knows other frames, and is told to be older."""
    identity = bytes([0xA5, 0x81, 0, 76]) + link.MAGIC + bytes([1, 0]) + bytes(72)

    def answer(data):
        return identity if data[:2] == bytes([0xA5, 1]) else b""

    with (
        plugged(Other(answer)) as terminal,
        open_port(terminal.port) as device,
        pytest.raises(SpikeloomError, match=r"bitstream is older than this software; build it"),
    ):
        _ = device.identity


def test_a_busy_board(call, tmp_path):
    """The advice is to stop the run; after it the same command works."""
    virtual = VirtualDevice(ROWS_8, polls=ENDLESS)
    with plugged(Modelled(virtual)) as terminal:
        with open_port(terminal.port) as device:
            device.link.start()
            device.link.flush()
        assert virtual.busy
        before = dict(virtual.memory)
        words = ("--port", terminal.port, "load", "digits-qsnn")
        status, _, err = call(*words)
        assert status == 1
        assert "the device is busy: a run is at instruction word 0" in err
        advice = err.rpartition("stop it: python -m sw.host ")[2].split()
        assert advice == ["--port", terminal.port, "abort"]
        assert virtual.memory == before
        status, out, _ = call("--port", terminal.port, "info")
        assert (status, "busy: a run is at" in out) == (0, True)
        status, out, _ = call(*advice)
        assert (status, out) == (0, "stopped after 1234 cycles\n")
        assert call(*words)[0] == 0
        assert call(*advice)[1] == "the core was idle\n"


def test_a_run_that_is_stopped_is_followed_by_another(network, images):
    """After a run that the watchdog stopped, the advice (load again) is granted."""
    held = network.compile(ROWS_8)
    core = Core(held)
    device = Device(core)
    device.load(held)
    core.polls = ENDLESS
    core.run_on = lambda: core.abort()  # at the limit
    with pytest.raises(SpikeloomError, match="load the program again"):
        device.infer(held, images[0])
    del core.run_on
    core.polls = 1
    device.load(held)
    answer = device.infer(held, images[0])
    assert answer.logits.tolist() == network.run(images[:1]).logits[0].tolist()
    assert Command.ABORT not in core.commands


class Port:
    def __init__(self, device, vid=1, location=None):
        self.device, self.vid, self.location, self.description = device, vid, location, "a port"


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([Port("/dev/ttyS0", None), Port("/dev/ttyUSB0")], "/dev/ttyUSB0"),
        ([Port("ttyUSB0", 1, "1-2:1.0"), Port("ttyUSB1", 1, "1-2:1.1")], "ttyUSB1"),
        ([Port("ttyUSB0", 1, "1-2:1.0"), Port("ttyUSB1", 1, "1-3:1.0")], "several serial ports"),
        (
            [Port("/dev/ttyS0", None)],
            "plug the board in, or name its port by --port; python -m sim",
        ),
    ],
)
def test_the_one_port(found, wanted, monkeypatch):
    monkeypatch.setattr(module, "ports", lambda: found)
    if " " not in wanted:
        assert module.only_port() == wanted
    else:
        with pytest.raises(SpikeloomError, match=wanted):
            module.only_port()


def test_list(call, monkeypatch):
    with plugged(Modelled(VirtualDevice(CONFIG))) as terminal:
        monkeypatch.setattr(cli, "ports", lambda: [Port(terminal.port), Port("/dev/ttyS9", None)])
        status, out, _ = call("list")
        assert status == 0
        assert f"{terminal.port}: a port; a Spikeloom device, clock 50 MHz\n" in out
        assert "/dev/ttyS9: a port; not asked\n" in out
        assert "shipped networks: digits, digits-qsnn, mnist-bestformer" in out
    monkeypatch.setattr(cli, "ports", list)
    assert "python -m sim.board simulates a board" in call("list")[1]
