"""Faults put into a component's RTLIL, to see that a proof fails."""

import re
from collections.abc import Callable


def table_bit(cell: str, parameter: str, n: int, bit: int) -> Callable[[str], str]:
    """Return a change of one bit of the table (``parameter``) of the n-th cell of a type."""

    def change(text: str) -> str:
        cells = [found.start() for found in re.finditer(rf"^  cell \\{cell} ", text, re.M)]
        at = cells[n]
        found = re.compile(rf"parameter \\{parameter} \d+'([01]+)").search(text, at)
        assert found, (cell, parameter)
        place = found.end(1) - 1 - bit
        return text[:place] + ("1" if text[place] == "0" else "0") + text[place + 1 :]

    return change


def replaced(old: str, new: str) -> Callable[[str], str]:
    """Return a change of the only place that holds ``old``."""

    def change(text: str) -> str:
        assert text.count(old) == 1, (old, text.count(old))
        return text.replace(old, new)

    return change
