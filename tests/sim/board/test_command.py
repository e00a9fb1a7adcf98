"""``python -m sim.board``, and ``python -m sw.host`` on it, as a user has them."""

import signal
import subprocess
import sys

import pytest

from hw.arch import SpikeloomError
from sim import verilator
from sim.board import __main__ as cli


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "none"], "unknown board 'none'; known boards: arty_a7"),
        (["--board", "arty_a7", "--faults", "2"], "--faults is 2, wanted 0 to 0.5"),
        (["--board", "arty_a7", "--model", "none"], "none"),
    ],
)
def test_mistakes(arguments, message, capsys):
    assert cli.main(arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err


def test_a_program_of_another_core(tmp_path, network, capsys):
    from hw.arch import Config

    network.compile(Config(rows=8)).save(tmp_path / "p.npz")
    assert cli.main(["--board", "arty_a7", "--model", str(tmp_path / "p.npz")]) == 1
    assert "is compiled for another core than the one of arty_a7" in capsys.readouterr().err


def test_what_a_board_can_hold(tmp_path, network, board, capsys):
    """A network as a stream where it is asked for, and one of sequences in any case."""
    for model, stream in (("digits-qsnn", True), ("vowels-qsnn", True), ("vowels-qsnn", False)):
        assert cli._program(model, board, stream).stream
    assert not cli._program("digits-qsnn", board, False).stream
    network.compile(board.config).save(tmp_path / "p.npz")
    model = str(tmp_path / "p.npz")
    assert cli.main(["--board", "arty_a7", "--stream", "--model", model]) == 1
    assert "is compiled for whole images, not for a stream" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "stream", "words"),
    [
        ("digits", False, "infer digits:3"),
        ("mnist-tiny", False, "info"),
        ("digits-qsnn", True, "stream FRAMES.npy --model digits-qsnn"),
        ("vowels-qsnn", False, "stream vowels:0 --model vowels-qsnn"),
    ],
)
def test_what_can_be_tried(model, stream, words, board):
    program = cli._program(model, board, stream)
    assert cli._try(program, model, "P") == f"python -m sw.host --port P {words}"


def test_a_missing_tool(monkeypatch, capsys):
    def missing():
        raise SpikeloomError("no C++ compiler found")

    monkeypatch.setattr(verilator, "tools", missing)
    assert cli.main(["--board", "arty_a7"]) == 1
    assert capsys.readouterr() == ("", "error: no C++ compiler found\n")


def test_from_a_board_to_a_class(port_of_command):
    """The quick start's steps, on a line with faults; the interrupt ends it."""
    process, port = port_of_command

    def host(*words):
        done = subprocess.run(
            [sys.executable, "-m", "sw.host", "--port", port, *words],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert host("info").endswith("holds digits\n")
    assert host("infer", "digits:3").startswith("class 7, label 7: right\nlogits ")
    assert "right 5 of 5 (100.00 %)" in host("test", "--images", "5")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "interrupted: the port is gone\n"


def _interruptible():
    """Where the tests run in the background, an interrupt would be ignored, by children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def port_of_command(board):
    from sim.board.compiled import compile_board

    compile_board(board)  # with whoever else wants it
    words = ["--board", "arty_a7", "--model", "digits", "--faults", "1e-3", "--seed", "3"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sim.board", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=_interruptible,
    )
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[1].startswith("port /dev/")
        port = lines[1].split()[1]
        assert lines[2] == f"try: python -m sw.host --port {port} infer digits:3\n"
        yield process, port
    finally:
        process.kill()
        process.communicate()
