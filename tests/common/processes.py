"""Programs to run, and which processes are there."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def script(body):
    text = (
        "from hw.common.cli import command\nimport sys, time\n"
        f"@command()\ndef main(argv=None):\n{body}\nsys.exit(main())"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return [sys.executable, "-c", text], env


def processes(mark):
    found = subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, encoding="utf-8")
    return [int(n) for n in found.stdout.split() if int(n) != os.getpid()]


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
