"""How objects that hold arrays show themselves: in a few lines, shapes instead of values."""

import dataclasses
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

WIDTH = 100  #: Characters of a line.
VALUE = 60  #: Of a value that a message quotes.
FIELD_LINES = 6  #: Of an object that shows its fields.
LINES = 25  #: Of an object that shows its parts.


class Shown:
    """Base of dataclasses: ``repr`` tells in a few lines what is not the default."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__repr__" not in vars(cls):
            cls.__repr__ = Shown.__repr__  # before the dataclass makes one that has all values

    def __repr__(self) -> str:
        return textwrap.fill(
            _fields(self),
            WIDTH,
            subsequent_indent="    ",
            max_lines=FIELD_LINES,
            placeholder=" ...",
            break_long_words=True,
        )


def shown(value: object, width: int = VALUE) -> str:
    """Return ``repr(value)`` as one line of at most ``width`` characters, for a message.

    It never fails: what has no such text (an integer of thousands of digits) is named by its type.
    """
    try:
        text = repr(value[:width] if isinstance(value, str | bytes) else value)
    except Exception:  # of a stranger's class too
        bits = f" of {value.bit_length()} bits" if isinstance(value, int) else ""
        return f"a value of type {type(value).__name__}{bits}"[:width]
    whole = not isinstance(value, str | bytes) or len(value) <= width
    return cut(text if whole else text + "...", width)


def cut(text: str, width: int = WIDTH) -> str:
    """Return ``text`` as one line of at most ``width`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 3] + "..."


def listing(head: str, parts: Iterable[object], lines: int = LINES) -> str:
    """Return a headline, and a line for each part; of many, the first and the last."""
    rows = list(parts)
    fit = lines - 1
    first, last = (len(rows), 0) if len(rows) <= fit else (fit - 1 - fit // 3, fit // 3)
    shown: list[object] = rows[:first]
    if last:
        shown += [f"... {len(rows) - first - last} more", *rows[-last:]]
    return "\n".join([cut(head), *(f"  {cut(str(row), WIDTH - 2)}" for row in shown)])


def table(head: Sequence[str], rows: Iterable[Sequence[object]], text: Sequence[int] = (0,)) -> str:
    """Return aligned columns, as lines; those whose numbers ``text`` has are aligned left.

    ValueError where a row has another number of columns than the head.
    """
    cells = [tuple(head), *(tuple(str(value) for value in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            value.ljust(width) if n in text else value.rjust(width)
            for n, (value, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def _fields(value: Any) -> str:
    """Return a data class as ``Name(field=value, ...)``, without what is the default."""
    parts = []
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if not field.repr or _is_default(field, item):
            continue
        parts.append(f"{field.name}={_value(item)}")
    return f"{type(value).__name__}({', '.join(parts)})"


def _is_default(field: dataclasses.Field, item: Any) -> bool:
    """Return whether a field holds its default."""
    if field.default is not dataclasses.MISSING:
        return item is field.default or (
            type(item) is type(field.default)
            and bool(not isinstance(item, np.ndarray) and item == field.default)
        )
    factory = field.default_factory
    return factory in (dict, list, tuple) and isinstance(item, dict | list | tuple) and not item


def _value(item: Any) -> str:
    """Return one value in a few characters: of an array, its type and shape."""
    if isinstance(item, np.ndarray):
        return f"{item.dtype} {item.shape}"
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return _fields(item)
    if isinstance(item, dict):
        return _some(
            [f"{name!r}: {_value(part)}" for name, part in list(item.items())[:9]], len(item), "{}"
        )
    if isinstance(item, tuple | list):
        ends = "()" if isinstance(item, tuple) else "[]"
        return _some([_value(part) for part in item[:9]], len(item), ends)
    return cut(repr(item))


def _some(parts: list[str], count: int, ends: str) -> str:
    """Return parts between brackets, and how many more there are."""
    if count > len(parts):
        parts = [*parts, f"... {count - len(parts)} more"]
    comma = "," if ends == "()" and count == 1 else ""
    return f"{ends[0]}{', '.join(parts)}{comma}{ends[1]}"
