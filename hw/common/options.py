"""Types of command line options whose errors name the form that is wanted."""

import argparse
import math
from collections.abc import Callable


def whole(what: str, example: object, least: int | None = None) -> Callable[[str], int]:
    """Return the type of an option that takes a whole number, ``least`` or more.

    ``what`` names the number in messages ("a number of epochs"), ``example`` one that fits.
    """

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or (least is not None and value < least):
            bound = "" if least is None else f" from {least}"
            raise argparse.ArgumentTypeError(
                f"{text!r} is not {what}, wanted a whole number{bound}, such as {example}"
            )
        return value

    return read


def real(what: str, example: object, above: float | None = None) -> Callable[[str], float]:
    """Return the type of an option that takes a finite number, one above ``above`` if given."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (above is not None and value <= above):
            bound = "" if above is None else f" above {above:g}"
            raise argparse.ArgumentTypeError(
                f"{text!r} is not {what}, wanted a number{bound}, such as {example}"
            )
        return value

    return read


def core_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--board`` and ``--config``, one of which tells a core."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--board", metavar="NAME", help="take the core of this board")
    where.add_argument(
        "--config",
        metavar="K=V,...",
        default="",
        help="core configuration, e.g. rows=8,width=64; the rest as by default",
    )
