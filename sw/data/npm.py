"""The address of the npm registry that this computer uses."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from hw.common.process import run

DEFAULT = "https://registry.npmjs.org/"
SECONDS = 20  #: Given to `npm config get`.


def _setting(name: str) -> str:
    """Return an npm setting of the environment; npm takes any case of prefix and name."""
    wanted = f"npm_config_{name}"
    exact = os.environ.get(wanted)
    return exact or next((v for k, v in os.environ.items() if k.lower() == wanted and v), "")


def _npmrc() -> str:
    """Return the registry that ~/.npmrc names, or an empty text."""
    path = Path(_setting("userconfig") or Path.home() / ".npmrc")
    found = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := re.match(r"""\s*registry\s*=\s*["']?([^\s"';#]+)""", line):
                found = match[1]
    return re.sub(r"\$\{(\w+)\}", lambda m: os.environ.get(m[1], m[0]), found)


def _asked() -> str:
    """Return the registry that npm itself tells, or an empty text."""
    npm = shutil.which("npm")
    if npm is None:
        return ""
    try:
        done = run([npm, "config", "get", "registry"], timeout=SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def registry() -> str:
    """Return the base address with a final "/": of environment, ~/.npmrc, npm, or its default."""
    for find in (lambda: _setting("registry"), _npmrc, _asked):
        if (found := find().strip()).startswith(("http://", "https://")):
            return found.rstrip("/") + "/"
    return DEFAULT
