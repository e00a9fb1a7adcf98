"""A build that is killed leaves no tool running, and goes on when it is started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.common.processes import alive

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
from hw.build import build
from hw.common.cli import command
from tests.synth.designs import echo

@command("interrupted; the same command goes on from here")
def main(argv=None):
    build("ulx3s", "mnist-tiny", sys.argv[1], design=echo, last="route",
          tell=lambda e: print(e.step, e.state, flush=True))
    return 0

sys.exit(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_tool_outlives_a_build(number, tmp_path):
    tool, pids, out = tmp_path / "nextpnr-ecp5", tmp_path / "pids", tmp_path / "out"
    tool.write_text(
        '#!/bin/sh\ncase "$1" in --version) echo 1; exit;; esac\n'
        f"sleep 61 & echo $$ $! > {pids}.part; mv {pids}.part {pids}; wait\n",
        encoding="utf-8",
    )
    tool.chmod(0o755)
    env = {**os.environ, "NEXTPNR_ECP5": str(tool), "PYTHONPATH": str(ROOT)}
    ours = subprocess.Popen(
        [sys.executable, "-c", CODE, str(out)],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    deadline = time.monotonic() + 120
    while not pids.exists() and ours.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    found = [int(pid) for pid in pids.read_text(encoding="utf-8").split()]
    assert all(alive(pid) for pid in found)
    ours.send_signal(number)
    _, said = ours.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in found) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in found)
    assert "Traceback" not in said
    assert ours.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}.get(number, -number)
    assert not (out / "top.config").exists()
    tool.write_text("#!/bin/sh\necho ERROR: ends; exit 3\n", encoding="utf-8")
    again = subprocess.run(
        [sys.executable, "-c", CODE, str(out)],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert again.returncode == 1
    assert "nextpnr-ecp5 failed with exit status 3" in again.stderr
    assert "synthesise fresh" in again.stdout
