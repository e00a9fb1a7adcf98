"""The serial port of a simulated board."""

import builtins
import time

import pytest
import serial

from hw.arch import SpikeloomError, link
from sim.board import terminal
from sim.line import Faults
from tests.host.modelled import Modelled, Other, plugged
from tests.host.virtual import CONFIG, VirtualDevice

END = bytes([link.END])


def heard(line, seconds):
    until, out = time.monotonic() + seconds, b""
    line.timeout = 0.02
    while time.monotonic() < until:
        out += line.read(1 << 10)
    return out


def test_bytes_and_rates_pass():
    board = Other(lambda data: data[::-1])
    with plugged(board) as plug, serial.Serial(plug.port, 115_200, timeout=5) as line:
        line.write(b"abc")
        assert line.read(3) == b"cba"
        assert board.baud == 115_200
        line.baudrate = 3_000_000
        line.write(b"d")
        assert line.read(1) == b"d"
        assert board.baud == 3_000_000


def test_a_board_that_works_breathes():
    """Between frames alone, and not at rest."""
    board = Other(lambda data: b"")
    with plugged(board) as plug, serial.Serial(plug.port, link.BAUD) as line:
        assert heard(line, 0.2) == b""
        board.rests = False
        line.write(b"x")
        breath = heard(line, 0.4)
        assert set(breath) == set(END)
        assert 2 <= len(breath) <= 0.4 / terminal.BREATH + 1
        board.say(END + b"half")
        assert heard(line, 0.3).endswith(END + b"half")
        board.say(b" a frame" + END)
        assert heard(line, 0.3).startswith(b" a frame" + END + END)
        board.rests = True
        board.say(b"!")
        heard(line, 0.1)
        assert heard(line, 0.2) == b""


def test_nobody_reads():
    """What nobody reads is lost, and the board goes on."""
    board = Other(lambda data: data)
    with plugged(board) as plug:
        for _ in range(50):
            board.say(bytes(1000))
        with serial.Serial(plug.port, link.BAUD, timeout=5) as line:
            time.sleep(0.2)
            line.reset_input_buffer()
            line.write(b"x")
            assert line.read(1) == b"x"


def test_faults_befall_bytes_both_ways():
    there, back = Faults(0.5, 1), Faults(0.5, 2)
    with (
        plugged(Other(lambda data: data), there=there, back=back) as plug,
        serial.Serial(plug.port, link.BAUD) as line,
    ):
        line.write(bytes(500))
        assert heard(line, 0.3) != bytes(500)
    assert there.bytes == 500
    assert there.count > 100
    assert back.count > 100


def test_a_simulator_that_ends():
    board = Modelled(VirtualDevice(CONFIG))
    board.read = lambda: (_ for _ in ()).throw(EOFError)
    with terminal.Terminal(board) as found:
        board.say(b"x")
        with pytest.raises(SpikeloomError, match="the simulator has ended; start the board again"):
            found.serve()


def test_a_system_without_pseudo_terminals(monkeypatch):
    there = builtins.__import__

    def missing(name, *arguments, **options):
        if name == "termios":
            raise ModuleNotFoundError(name)
        return there(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SpikeloomError, match=r"no pseudo terminals.*use Linux, or WSL"):
        terminal.Terminal(Modelled(VirtualDevice(CONFIG)))
