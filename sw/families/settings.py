"""What a weight file cannot tell, from options and from the JSON file beside it."""

import math
import numbers
import pathlib
from dataclasses import dataclass
from typing import Any

from hw.common.errors import SpikeloomError
from hw.common.show import cut, shown
from sw.graph import LIF, FloatNetwork

#: What published code normalises images of so many channels with.
NORMALISATIONS = {
    1: "MNIST mean=0.1307, std=0.3081",
    3: "CIFAR-10 mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.201); ImageNet "
    "mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)",
}
MOST_COUNT = 2**31 - 1  #: Of steps, heads or pixels; what a network may have is far below.
MOST_STD = 4.0  #: Of pixels in 0..1 it is at most 0.5; 1 is none at all, a few are scaled anew.


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a network; None where nothing tells."""

    heads: int | None = None
    steps: int | None = None
    attention: str | None = None
    similarity: str | None = None
    map_theta: float | None = None
    membrane_bits: int | None = None
    alpha: float | str | dict[str, float] | None = None  #: A table has a number for each neuron.
    strides: tuple[int, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    image_size: tuple[int, int] | None = None
    dt: float | None = None
    stream: bool | None = None

    @classmethod
    def merge(cls, path: pathlib.Path, side: dict, **options) -> "Settings":
        """Options first, then the JSON file's fields, its own or under ``hp`` or ``config``.

        ``hp`` uses the authors' names (``num_heads``, ``T``, ``step``, ``num_bits_u``,
        ``img_size_h``, ...). A ``steps`` or ``step`` beside an ``hp``, and a ``step`` anywhere
        else, counts training steps and is not read.
        """
        told: dict = {}
        for section in ("hp", "config", "model"):
            if isinstance(side.get(section), dict):
                told |= side[section]
        told = {**side, **told} if told else dict(side)
        hp = side.get("hp") if isinstance(side.get("hp"), dict) else None
        if hp is not None and "steps" not in hp:
            told.pop("steps", None)
        if hp is None or "step" not in hp:
            told.pop("step", None)

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
            steps=_count(path, "steps", pick("steps", "T", "steps", "step")),
            attention=_choice(path, "attention", attention, ("qk", "kv")),
            similarity=_choice(
                path, "similarity", pick("similarity", "similarity"), ("and", "xnor")
            ),
            map_theta=_number(path, "map_theta", pick("map_theta", "map_theta", "theta")),
            membrane_bits=_bits(path, pick("membrane_bits", "membrane_bits", "num_bits_u")),
            alpha=_alpha(path, _first(options.get("alpha"), told.get("membrane_alpha"))),
            strides=_strides(path, pick("strides", "strides")),
            mean=_floats(path, "mean", pick("mean", "mean")),
            std=_floats(path, "std", pick("std", "std")),
            image_size=_size(path, size),
            dt=_above_zero(path, "dt", pick("dt", "dt")),
            stream=_whether(path, "stream", pick("stream", "stream")),
        )


def _first(*values: object) -> object:
    """The first that is told."""
    return next((value for value in values if value is not None), None)


def _count(path: pathlib.Path, what: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise SpikeloomError(
            f"{path}: {what} must be a whole number of 1 or more, not {shown(value)}"
        )
    count = int(value)
    if count > MOST_COUNT:
        raise SpikeloomError(f"{path}: {what} must be at most {MOST_COUNT}, not {shown(count)}")
    return count


def _finite(value: object) -> float | None:
    """The number as a finite float, None where it is no number or has none."""
    try:
        found = float(value) if isinstance(value, numbers.Real) else math.nan
    except (OverflowError, ValueError):  # 10**400
        return None
    return found if math.isfinite(found) else None


def _number(path: pathlib.Path, what: str, value: object) -> float | None:
    if value is None:
        return None
    found = _finite(value)
    if found is None:
        raise SpikeloomError(f"{path}: {what} must be a finite number, not {shown(value)}")
    return found


def _above_zero(path: pathlib.Path, what: str, value: object) -> float | None:
    number = _number(path, what, value)
    if number is not None and number <= 0:
        raise SpikeloomError(f"{path}: {what} must be above 0, not {number:g}")
    return number


def _whether(path: pathlib.Path, what: str, value: Any) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise SpikeloomError(f"{path}: {what} must be true or false, not {shown(value)}")
    return value


def _choice(path: pathlib.Path, what: str, value: Any, known: tuple[str, ...]) -> str | None:
    if value is not None and value not in known:
        raise SpikeloomError(f"{path}: {what} must be {' or '.join(known)}, not {shown(value)}")
    return value


def _bits(path: pathlib.Path, value: object) -> int | None:
    if value is not None and (isinstance(value, bool) or value not in (2, 4, 8)):
        raise SpikeloomError(f"{path}: membrane_bits must be 2, 4 or 8, not {shown(value)}")
    return None if value is None else int(value)  # type: ignore[call-overload]


def _alpha(path: pathlib.Path, value: object) -> float | str | dict[str, float] | None:
    if isinstance(value, dict):
        return {str(k): _scale(path, v) for k, v in value.items()}
    if value is None or (isinstance(value, str) and value == "batch"):
        return value
    return _scale(path, value)


def _scale(path: pathlib.Path, value: object) -> float:
    found = None if isinstance(value, bool) else _finite(value)
    if found is None or found <= 0:
        raise SpikeloomError(f"{path}: alpha must be above 0 or 'batch', not {shown(value)}")
    return found


def _strides(path: pathlib.Path, value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    given = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not given or any(isinstance(v, bool) or v not in (1, 2) for v in given):
        raise SpikeloomError(f"{path}: strides must be 1 or 2 for each layer, not {shown(value)}")
    return tuple(int(v) for v in given)


def missing_normalisation(settings: Settings, channels: int) -> list[str]:
    """What to ask for where mean or std is not told, with what they may be."""
    some = NORMALISATIONS.get(channels)
    return [
        f"{what}= (of pixels scaled to 0..1; mean=0, std=1 if none was done"
        f"{f'; {some}' if some else ''})"
        for what in ("mean", "std")
        if getattr(settings, what) is None
    ]


def told_states(net: FloatNetwork) -> dict[str, Any]:
    """Return the settings of neurons whose membranes are stored in few bits, as JSON types."""
    stored = [n for n in net.nodes if isinstance(n, LIF) and n.state_bits is not None]
    if not stored:
        return {}
    alphas = {n.name: "batch" if n.alpha is None else n.alpha for n in stored}
    kinds = set(alphas.values())
    return {
        "membrane_bits": stored[-1].state_bits,
        "membrane_alpha": kinds.pop() if len(kinds) == 1 else alphas,
        **({"stream": True} if net.stream else {}),
    }


def per_channel(
    path: pathlib.Path,
    what: str,
    values: tuple[float, ...] | None,
    default: float,
    channels: int,
) -> tuple[float, ...]:
    """One value per image channel, of one or as many."""
    values = (default,) if values is None else values
    _in_range(path, what, values)
    if len(values) == 1:
        values *= channels
    if len(values) != channels:
        raise SpikeloomError(
            f"{path}: {what} has {len(values)} values, the network reads {channels} channels; "
            "give one value, or one per channel"
        )
    return values


def _in_range(path: pathlib.Path, what: str, values: tuple[float, ...]) -> None:
    """Refuse what pixels scaled to 0..1 cannot have, with the likely reason."""
    low, high = {"mean": (0.0, 1.0), "std": (0.0, MOST_STD)}[what]
    fits = [low < v <= high if what == "std" else low <= v <= high for v in values]
    if all(fits):
        return
    told = cut(", ".join(f"{v:g}" for v in values))
    wanted = "0 to 1" if what == "mean" else f"above 0 and at most {MOST_STD:g}"
    if min(values) < 0 or (what == "std" and min(values) == 0):
        reason = "check the value"
    else:
        scaled = cut(", ".join(f"{v / 255:.4g}" for v in values))
        reason = f"it looks like the scale of 0..255: divided by 255 it is {scaled}; give that"
    raise SpikeloomError(
        f"{path}: {what} must be {wanted} (of pixels scaled to 0..1), not {told}; {reason}"
    )


def _floats(path: pathlib.Path, what: str, value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        values = (value,) if isinstance(value, numbers.Real | str) else tuple(value)
    except TypeError:
        values = ()
    reals = (_number(path, what, v) for v in values)
    return tuple(v for v in reals if v is not None) or None


def _size(path: pathlib.Path, value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    pair = (value, value) if isinstance(value, numbers.Integral) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise SpikeloomError(f"{path}: image size must be (height, width), not {shown(value)}")
    height, width = (_count(path, "image size", side) for side in pair)
    return (height, width) if height and width else None
