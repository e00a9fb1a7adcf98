"""What amaranth-boards knows of a board: its part, its clock, its reset button, its pins."""

import importlib
import re
from dataclasses import dataclass
from typing import Any

from hw.common.errors import SpikeloomError


@dataclass(frozen=True)
class Facts:
    """What a build takes from a platform, besides pins."""

    clock_resource: str
    clock: int  #: Hz.
    reset_resource: str | None


def platform_class(path: str, board: str) -> type:
    """Return the class ``module:class`` of a board's platform."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as e:
        cure = "pip install amaranth-boards" if "amaranth" in str(e.name) else "correct platform"
        raise SpikeloomError(f"board {board}: {module} cannot be imported ({e}); {cure}") from None
    if not isinstance(found, type):
        raise SpikeloomError(
            f"board {board}: platform is {path!r}, but {module} has no class {name!r}; give it as "
            "'module:class'"
        )
    return found


def facts(platform: Any, board: str, part: str) -> Facts:
    """Return what a platform tells.

    SpikeloomError where it is of another part, names no clock of a whole number of Hz, or has no
    UART.
    """
    kind = type(platform).__name__
    device, package, speed = (str(getattr(platform, n)) for n in ("device", "package", "speed"))
    grade = getattr(platform, "grade", "")
    if _plain(part) not in (_plain(device, package, speed), _plain(device, speed, package, grade)):
        raise SpikeloomError(
            f"board {board}: its part is {part!r}, but its platform {kind} has a {device} in "
            f"{package}, speed {speed}; correct part or platform"
        )
    name = platform.default_clk
    if name is None or platform.lookup(name).clock is None:
        raise SpikeloomError(
            f"board {board}: its platform {kind} names no default clock with a frequency, and "
            "nothing else tells where the clock comes from; give a platform that does"
        )
    hertz = platform.lookup(name).clock.frequency
    if hertz != int(hertz):
        raise SpikeloomError(
            f"board {board}: the clock {name} of its platform {kind} has {hertz} Hz, which is no "
            "whole number"
        )
    if ("uart", 0) not in platform.resources:
        raise SpikeloomError(
            f"board {board}: its platform {kind} has no resource 'uart' 0, which the link to the "
            "host needs; give a platform that adds one"
        )
    return Facts(name, int(hertz), platform.default_rst)


def _plain(*texts: str) -> str:
    return re.sub("[^a-z0-9]", "", "".join(texts).lower())
