"""A headless Chromium, spoken to through a pipe: pictures of a page, and what it complains of.

Nothing but the browser is needed: CHROMIUM names it, or it is found by its usual names.
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw.common.errors import SpikeloomError

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
SECONDS = 60  #: An answer may take.
#: Widest and tallest that an element may reach to the right of the window, whatever scrolls aside.
_OVERFLOW = """
(() => { const wide = document.documentElement.clientWidth, out = [];
for (const e of document.body.querySelectorAll('*')) {
  if (e.closest('.scroll') || e.closest('.skip')) continue;
  const r = e.getBoundingClientRect();
  if (r.width && r.right > wide + 0.5) out.push(e.tagName + ' ' + r.right); }
return JSON.stringify({scroll: document.documentElement.scrollWidth, wide, out: out.slice(0, 9),
  height: document.documentElement.scrollHeight}); })()
"""


#: Puts two descriptors where the browser has its pipe, 3 to read and 4 to write, and becomes it.
_LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(word), fcntl.F_DUPFD, 10) for word in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find() -> str | None:
    """Return the path of a Chromium, or None where there is none."""
    return shutil.which(os.environ.get("CHROMIUM", "")) or next(
        filter(None, map(shutil.which, NAMES)), None
    )


@dataclass
class Seen:
    """What a browser showed of a page."""

    complaints: list[str] = field(default_factory=list)  #: Errors, and messages of the console.
    requests: list[str] = field(default_factory=list)  #: Addresses that were asked for.
    overflow: list[str] = field(default_factory=list)  #: Elements right of the window.
    scroll: int = 0  #: Pixels that the page is wide.
    height: int = 0
    picture: bytes = b""  #: PNG.


class Browser:
    """A running browser; see `browser`."""

    def __init__(self, write: int, read: int):
        self._write, self._read = write, read
        self._numbers = itertools.count(1)
        self._buffer = b""
        self.events: list[dict[str, Any]] = []
        self._session = ""

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol; return its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            got = self._message()
            if got.get("id") == number:
                if "error" in got:
                    raise SpikeloomError(f"Chromium: {method}: {got['error'].get('message')}")
                return got["result"]
            self.events.append(got)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 20)
            if not part:
                raise SpikeloomError("Chromium has ended; run it by itself to see why")
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)

    def show(self, path: Path, width: int, *, dark: bool = False, height: int = 0,
             scale: float = 1, ready: str = "") -> Seen:  # fmt: skip
        """Open a page in a window; ``height`` 0: as tall as the page. ``ready``: script to run."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session, self.events, seen = session, [], Seen()
        try:
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
            self.call("Emulation.setEmulatedMedia", features=[scheme])
            self._size(width, height or 900, scale)
            self.call("Page.navigate", url=path.absolute().as_uri())
            self._loaded()
            if ready:
                self.call("Runtime.evaluate", expression=ready)
            told = self.call("Runtime.evaluate", expression=_OVERFLOW)["result"]["value"]
            found = json.loads(told)
            seen.overflow, seen.scroll, seen.height = found["out"], found["scroll"], found["height"]
            if not height:
                self._size(width, found["height"], scale)
            shot = self.call("Page.captureScreenshot", format="png")
            seen.picture = base64.b64decode(shot["data"])
            self._judge(seen)
        finally:
            self._session = ""
            self.call("Target.closeTarget", targetId=target)
        return seen

    def _size(self, width: int, height: int, scale: float) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=False)  # fmt: skip

    def _loaded(self) -> None:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if any(e.get("method") == "Page.loadEventFired" for e in self.events):
                return
            self.call("Runtime.evaluate", expression="0")
            time.sleep(0.02)
        raise SpikeloomError(f"Chromium did not load the page in {SECONDS} seconds")

    def _judge(self, seen: Seen) -> None:
        for event in self.events:
            params = event.get("params", {})
            match event.get("method"):
                case "Runtime.consoleAPICalled":
                    seen.complaints.append(json.dumps(params["args"]))
                case "Runtime.exceptionThrown":
                    seen.complaints.append(json.dumps(params["exceptionDetails"]))
                case "Log.entryAdded":
                    seen.complaints.append(params["entry"]["text"])
                case "Network.requestWillBeSent":
                    seen.requests.append(params["request"]["url"])


@contextlib.contextmanager
def browser(program: str | None = None) -> Iterator[Browser]:
    """Start a Chromium and end it; SpikeloomError where there is none."""
    program = program or find()
    if program is None:
        raise SpikeloomError(
            "no Chromium is found; install one, or let CHROMIUM be the path of its program"
        )
    there, write = os.pipe()
    read, back = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        words = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                 "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                 f"--user-data-dir={home}", "--remote-debugging-pipe", "about:blank"]  # fmt: skip
        launch = [sys.executable, "-c", _LAUNCH, str(there), str(back), *words]
        process = subprocess.Popen(
            launch, pass_fds=(there, back), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(there)
        os.close(back)
        try:
            yield Browser(write, read)
        finally:
            os.close(write)
            os.close(read)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait()
