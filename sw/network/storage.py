"""Integer networks in npz files: arrays as they are, the rest as JSON.

A file is a stranger's: every field is checked against the type that its class declares before
anything is built from it.
"""

import dataclasses
import json
import math
import os
import pathlib
import types
import typing
from typing import Any

import numpy as np

from hw.common import npz
from hw.common.errors import SpikeloomError
from hw.common.show import shown
from sw.network.layers import Layer, layer_kinds
from sw.network.network import IntegerNetwork

FORMAT = "spikeloom integer network 2"
UNSEALED = "spikeloom integer network 1"  #: The same without a digest, still read.


def save(network: IntegerNetwork, path: str | os.PathLike[str]) -> None:
    """Write ``network`` with a digest, whole or not at all; same network, same bytes."""
    arrays: dict[str, np.ndarray] = {}

    def plain(value, place: str):
        if isinstance(value, np.ndarray):
            arrays[place] = value
            return {"array": place}
        if dataclasses.is_dataclass(value):
            fields = {
                f.name: plain(getattr(value, f.name), f"{place}.{f.name}")
                for f in dataclasses.fields(value)
            }
            return {"type": type(value).__name__, "fields": fields}
        if isinstance(value, tuple):
            return {"tuple": [plain(v, f"{place}.{i}") for i, v in enumerate(value)]}
        if isinstance(value, dict):
            return {"dict": value}
        return value.item() if isinstance(value, np.generic) else value

    text = json.dumps({"format": FORMAT, "network": plain(network, "n")}, sort_keys=True)
    arrays["json"] = np.frombuffer(text.encode(), dtype=np.uint8)
    npz.write(path, arrays)


def load(path: str | os.PathLike[str]) -> IntegerNetwork:
    """Read what ``save`` wrote; SpikeloomError if it is anything else."""
    if not pathlib.Path(path).exists():
        raise SpikeloomError(f"{path}: no such file; save an integer network first")
    try:
        arrays = npz.read(path)
        text = arrays.pop("json", None)
        if text is None or text.dtype != np.uint8:
            raise ValueError("it has no description called json")
        tree = json.loads(text.tobytes())
        found = tree.get("format") if isinstance(tree, dict) else None
        if found not in (FORMAT, UNSEALED):
            raise ValueError(f"format {shown(found)}, wanted {FORMAT!r}")
        if found == FORMAT:
            npz.read(path, sealed=True)
        return _build(tree.get("network"), IntegerNetwork, "network", arrays)
    except RecursionError:
        reason = "its description is nested too deeply"
    except (npz.ArchiveError, ValueError) as error:
        reason = str(error)
    raise SpikeloomError(
        f"{path}: not an integer network of this version ({reason}); lower and save it again"
    )


def _build(value: Any, kind: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    """The value of a field that is declared as ``kind``; ValueError if it is anything else."""

    def wrong() -> ValueError:
        return ValueError(f"{place} is {shown(value)}, wanted {getattr(kind, '__name__', kind)}")

    if kind is Layer or isinstance(kind, types.UnionType):
        options = tuple(layer_kinds()) if kind is Layer else typing.get_args(kind)
        if value is None and type(None) in options:
            return None
        name = value.get("type") if isinstance(value, dict) else None
        chosen = [option for option in options if option.__name__ == name]
        if not chosen:
            raise wrong()
        return _build(value, chosen[0], place, arrays)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(value, dict) or value.get("type") != kind.__name__:
            raise wrong()
        fields, hints = value.get("fields"), typing.get_type_hints(kind)
        if not isinstance(fields, dict) or fields.keys() != hints.keys():
            raise ValueError(f"{place} has not the fields of a {kind.__name__}")
        made: Any = kind
        return made(**{k: _build(fields[k], h, f"{place}.{k}", arrays) for k, h in hints.items()})
    if kind is np.ndarray:
        name = value.get("array") if isinstance(value, dict) else None
        if not isinstance(name, str) or name not in arrays:
            raise wrong()
        if arrays[name].dtype not in (np.dtype(np.int64), np.dtype(bool)):
            raise ValueError(f"{place} is an array of {arrays[name].dtype}, wanted int64 or bool")
        return arrays[name]
    if typing.get_origin(kind) is tuple:
        items = value.get("tuple") if isinstance(value, dict) else None
        if not isinstance(items, list):
            raise wrong()
        of = typing.get_args(kind)[0]
        return tuple(_build(v, of, f"{place}[{i}]", arrays) for i, v in enumerate(items))
    if kind is dict:
        if not isinstance(value, dict) or not isinstance(value.get("dict"), dict):
            raise wrong()
        return value["dict"]
    if kind is float and type(value) is int and abs(value) < 1 << 53:
        return float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise wrong()
    if kind is int and not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"{place} is an integer of more than 64 bits")
    return value
