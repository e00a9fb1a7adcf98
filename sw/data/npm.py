"""The address of the npm registry that this computer uses."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

DEFAULT = "https://registry.npmjs.org/"
SECONDS = 20  #: Given to `npm config get`.


def _setting(name: str) -> str:
    """An npm setting of the environment; npm takes any case of the prefix and name."""
    wanted = f"npm_config_{name}"
    exact = os.environ.get(wanted)
    return exact or next((v for k, v in os.environ.items() if k.lower() == wanted and v), "")


def _npmrc() -> str:
    path = Path(_setting("userconfig") or Path.home() / ".npmrc")
    found = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := re.match(r"""\s*registry\s*=\s*["']?([^\s"';#]+)""", line):
                found = match[1]
    return re.sub(r"\$\{(\w+)\}", lambda m: os.environ.get(m[1], m[0]), found)


def _asked() -> str:
    npm = shutil.which("npm")
    if npm is None:
        return ""
    try:
        done = subprocess.run(
            [npm, "config", "get", "registry"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip()


def registry() -> str:
    """Base address with a final "/": npm's environment, ~/.npmrc, npm itself, npm's default."""
    for find in (lambda: _setting("registry"), _npmrc, _asked):
        if (found := find().strip()).startswith(("http://", "https://")):
            return found.rstrip("/") + "/"
    return DEFAULT
