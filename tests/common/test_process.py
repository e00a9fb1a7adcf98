"""Outside programs: what they said, and that none outlives us."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.common.processes import alive, script


def heard():
    """In the child: hear SIGINT, which what runs in a shell's background ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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
