"""Options of the training command, as a family states those of its own fields."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Argument:
    """An option of the command line. Its default is that of the field which it sets."""

    name: str  #: Of the field; ``size`` sets two.
    help: str
    kind: dict[str, Any] = field(default_factory=dict)  #: Arguments of ``add_argument``.
    example: Any = None  #: In messages; None: its default.
    settled: bool = False  #: The data set settles it where it is not given.


def argument(
    name: str, help: str, *, example: Any = None, settled: bool = False, **kind: Any
) -> Argument:
    """Return an `Argument`; ``kind`` goes to ``add_argument``."""
    return Argument(name=name, help=help, kind=kind, example=example, settled=settled)
