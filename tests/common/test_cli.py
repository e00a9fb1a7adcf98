"""How commands end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hw.common.cli import command
from hw.common.errors import SpikeloomError

ROOT = Path(__file__).resolve().parents[2]


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


def script(body):
    text = (
        "from hw.common.cli import command\nimport sys, time\n"
        f"@command()\ndef main(argv=None):\n{body}\nsys.exit(main())"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return [sys.executable, "-c", text], env


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


def heard():
    """In the child: hear SIGINT, which what runs in a shell's background ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def processes(mark):
    found = subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, encoding="utf-8")
    return [int(n) for n in found.stdout.split() if int(n) != os.getpid()]


@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_programs_do_not_outlive_us(number, tmp_path):
    """A program and what it started in turn."""
    flag = tmp_path / "pid"
    inner = f"sleep 61 & echo $$ $! > {flag}.part; mv {flag}.part {flag}; wait"
    body = f"    from hw.common.process import run\n    run(['sh', '-c', {inner!r}])\n    return 0"
    argv, env = script(body)
    ours = subprocess.Popen(argv, env=env, stderr=subprocess.DEVNULL, preexec_fn=heard)
    deadline = time.monotonic() + 30
    while not flag.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    pids = [int(n) for n in flag.read_text(encoding="utf-8").split()]
    assert len(pids) == 2
    assert all(Path(f"/proc/{pid}").exists() for pid in pids) or not Path("/proc").exists()
    ours.send_signal(number)
    ours.wait(timeout=60)
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and any(alive(pid) for pid in pids):
        time.sleep(0.02)
    assert not any(alive(pid) for pid in pids)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_process_results(tmp_path):
    from hw.common.process import run

    done = run(["sh", "-c", "echo a; echo b >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, "a\n", "b\n")
    log = tmp_path / "log"
    done = run(["sh", "-c", "echo a; echo b >&2; cat"], output=log, cwd=tmp_path)
    assert (done.returncode, done.stdout, log.read_text(encoding="utf-8")) == (0, "", "a\nb\n")
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sh", "-c", "sleep 50 & sleep 50"], timeout=0.3)
    assert time.monotonic() - began < 10
    with pytest.raises(FileNotFoundError):
        run([tmp_path / "nothing"])
