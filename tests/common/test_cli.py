"""How commands end."""

import signal
import subprocess
import sys

import pytest

from hw.common.cli import command
from hw.common.errors import SpikeloomError
from tests.common.processes import script


class OwnError(SpikeloomError):
    label = "simulation failed"


def ends_with(action):
    @command("interrupted; go on")
    def main(argv=None):
        """Said."""
        action()
        return 7

    assert main.__doc__ == "Said."
    return main([])


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (SpikeloomError("a: wrong; do b"), 1, "error: a: wrong; do b\n"),
        (OwnError("x"), 1, "simulation failed: x\n"),
        (KeyboardInterrupt(), 130, "interrupted; go on\n"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_endings(error, status, text, capsys):
    assert ends_with(lambda: fail(error)) == status
    assert capsys.readouterr().err == text


def test_what_is_no_mistake_of_the_user_passes(capsys):
    assert ends_with(lambda: None) == 7
    with pytest.raises(ZeroDivisionError):
        ends_with(lambda: 1 / 0)
    with pytest.raises(SystemExit) as e:
        ends_with(lambda: sys.exit(2))
    assert e.value.code == 2


def test_warnings_are_lines_each_once(capsys):
    import warnings

    def warn():
        for _ in range(2):
            warnings.warn("a channel is dead", stacklevel=1)

    assert ends_with(warn) == 7
    assert capsys.readouterr().err == "warning: a channel is dead\n"


def test_closed_pipe_is_quiet():
    argv, env = script("    for _ in range(100000): print('x' * 100)\n    return 0")
    done = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    done.stdout.readline()
    done.stdout.close()
    assert done.stderr.read() == b""
    assert done.wait() == 141


def test_terminated(tmp_path):
    flag = tmp_path / "left"
    body = (
        f"    try:\n        print('on', flush=True)\n        time.sleep(60)\n"
        f"    finally:\n        open({str(flag)!r}, 'w').close()\n    return 0"
    )
    argv, env = script(body)
    done = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    done.stdout.readline()
    done.send_signal(signal.SIGTERM)
    assert done.wait(timeout=20) == 143
    assert done.stderr.read() == b"terminated\n"
    assert flag.exists()


def test_an_encoding_that_lacks_a_character():
    argv, env = script("    print('\\u00d7 \\u2192')\n    return 0")
    env |= {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(argv, capture_output=True, env=env)
    assert (done.returncode, done.stdout) == (0, b"\\xd7 \\u2192\n")
