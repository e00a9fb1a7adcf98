"""What a weight file cannot tell, from options and from the JSON file beside it."""

import math
import numbers
import pathlib
from dataclasses import dataclass
from typing import Any

from hw.arch.errors import SpikeloomError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a network; None where nothing tells."""

    heads: int | None = None
    steps: int | None = None
    attention: str | None = None
    similarity: str | None = None
    map_theta: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    image_size: tuple[int, int] | None = None

    @classmethod
    def merge(cls, path: pathlib.Path, side: dict, **options) -> "Settings":
        """Options first, then the JSON file's fields, its own or under ``hp`` or ``config``.

        ``hp`` uses the authors' names (``num_heads``, ``T``, ``img_size_h``, ...). A ``steps``
        beside an ``hp`` counts training steps and is not read.
        """
        told: dict = {}
        for section in ("hp", "config", "model"):
            if isinstance(side.get(section), dict):
                told |= side[section]
        told = {**side, **told} if told else dict(side)
        if isinstance(side.get("hp"), dict) and "steps" not in side["hp"]:
            told.pop("steps", None)

        def pick(option: str, *keys: str):
            if options.get(option) is not None:
                return options[option]
            value = next((told[k] for k in keys if told.get(k) is not None), None)
            return value if not isinstance(value, dict) else None

        attention = pick("attention", "attention", "order")
        if options.get("attention") is None and attention not in ("qk", "kv"):
            attention = None  # the fixtures hold prose here
        size = pick("image_size", "image_size", "size")
        if size is None and "img_size_h" in told and "img_size_w" in told:
            size = (told["img_size_h"], told["img_size_w"])
        if size is None and "height" in told and "width" in told:
            size = (told["height"], told["width"])
        return cls(
            heads=_count(path, "heads", pick("heads", "heads", "num_heads")),
            steps=_count(path, "steps", pick("steps", "T", "steps")),
            attention=_choice(path, "attention", attention, ("qk", "kv")),
            similarity=_choice(
                path, "similarity", pick("similarity", "similarity"), ("and", "xnor")
            ),
            map_theta=_number(path, "map_theta", pick("map_theta", "map_theta", "theta")),
            mean=_floats(path, "mean", pick("mean", "mean")),
            std=_floats(path, "std", pick("std", "std")),
            image_size=_size(path, size),
        )


def _count(path: pathlib.Path, what: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise SpikeloomError(f"{path}: {what} must be a whole number of 1 or more, not {value!r}")
    return int(value)


def _number(path: pathlib.Path, what: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise SpikeloomError(f"{path}: {what} must be a finite number, not {value!r}")
    return float(value)


def _choice(path: pathlib.Path, what: str, value: Any, known: tuple[str, ...]) -> str | None:
    if value is not None and value not in known:
        raise SpikeloomError(f"{path}: {what} must be {' or '.join(known)}, not {value!r}")
    return value


def _floats(path: pathlib.Path, what: str, value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        values = tuple(value) if not isinstance(value, numbers.Real) else (value,)
    except TypeError:
        values = ()
    reals = (_number(path, what, v) for v in values)
    return tuple(v for v in reals if v is not None) or None


def _size(path: pathlib.Path, value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    pair = (value, value) if isinstance(value, numbers.Integral) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise SpikeloomError(f"{path}: image size must be (height, width), not {value!r}")
    height, width = (_count(path, "image size", side) for side in pair)
    return (height, width) if height and width else None
