"""What the configurations of all families have, check and read alike."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Protocol, Self

from hw.common.errors import SpikeloomError

Refuse = Callable[[str, object, str, str], None]  #: (field, got, wanted, cure), raises.


class Config(Protocol):
    """What training asks of a family's configuration, a frozen dataclass."""

    @property
    def height(self) -> int:
        """Image height in pixels."""
        ...

    @property
    def width(self) -> int:
        """Image width in pixels."""
        ...

    @property
    def channels(self) -> int:
        """Image channels."""
        ...

    @property
    def classes(self) -> int:
        """Classes, 2 or more."""
        ...

    @property
    def steps(self) -> int:
        """Time steps T."""
        ...

    @property
    def mean(self) -> tuple[float, ...]:
        """Per image channel: x = (pixel / 255 - mean) / std."""
        ...

    @property
    def std(self) -> tuple[float, ...]:
        """Per image channel, above 0."""
        ...

    @property
    def no_hardware(self) -> str | None:
        """Why hardware is not made for such a network and what to change; None where it is."""
        ...

    def to_json(self) -> dict[str, Any]:
        """JSON fields of a checkpoint's configuration file; ``model`` is the family's name."""
        ...

    @classmethod
    def from_json(cls, fields: dict[str, Any], where: str = ...) -> Self:
        """Configuration of a checkpoint's JSON fields; ``where`` names the file in messages."""
        ...


def per_channel(field: str, got: Any, channels: int, refuse: Refuse) -> tuple[float, ...]:
    """Return ``mean`` or ``std`` as one float per channel; one number stands for all channels."""
    values = tuple(got) if isinstance(got, list | tuple) else (got,)
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        refuse(field, got, "finite numbers", "correct it")
    if len(values) == 1:
        values *= channels
    if len(values) != channels:
        refuse(field, got, f"{channels} numbers, one per channel", "correct it")
    if field == "std" and min(values) <= 0:
        refuse(field, got, "numbers above 0", "correct it")
    return tuple(float(v) for v in values)


def own_fields(
    config: type, fields: dict[str, Any], model: str, where: str, optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the fields of dataclass ``config`` in a checkpoint's JSON; others are ignored.

    SpikeloomError names the source ``where`` if the model is another, or fields are missing.
    """
    if fields.get("model") != model:
        raise SpikeloomError(
            f"{where}: model is {fields.get('model')!r}, wanted {model!r}; "
            "give a configuration that sw.train wrote"
        )
    names = [f.name for f in dataclasses.fields(config)]
    missing = [n for n in names if n not in fields and n not in optional]
    if missing:
        raise SpikeloomError(
            f"{where}: lacks {', '.join(missing)}; add the fields that sw.train writes"
        )
    return {n: fields[n] for n in names if n in fields}
