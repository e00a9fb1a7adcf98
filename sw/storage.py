"""Integer networks in npz files: arrays as they are, the rest as JSON."""

import dataclasses
import json
import pathlib
import zipfile

import numpy as np

from hw.common.errors import SpikeloomError
from sw import network as nw

FORMAT = "spikeloom integer network 1"
TYPES = {
    t.__name__: t
    for t in (
        nw.State,
        nw.Neuron,
        nw.Affine,
        nw.Residual,
        nw.Shortcut,
        nw.PixelConv,
        nw.BinaryLayer,
        nw.SpikePool,
        nw.AttentionMap,
        nw.AttentionApply,
        nw.Mean,
        nw.Head,
        nw.IntegerNetwork,
    )
}


def save(network: nw.IntegerNetwork, path: str | pathlib.Path) -> None:
    """Write ``network``; the same network gives the same bytes."""
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
    with open(path, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: str | pathlib.Path) -> nw.IntegerNetwork:
    """Read what ``save`` wrote."""

    def build(value):
        if not isinstance(value, dict):
            return value
        if "array" in value:
            return arrays[value["array"]]
        if "tuple" in value:
            return tuple(build(v) for v in value["tuple"])
        if "dict" in value:
            return value["dict"]
        return TYPES[value["type"]](**{k: build(v) for k, v in value["fields"].items()})

    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        tree = json.loads(arrays["json"].tobytes())
        if tree["format"] != FORMAT:
            raise ValueError(f"format {tree['format']!r}")
        network = build(tree["network"])
        if not isinstance(network, nw.IntegerNetwork):
            raise ValueError(f"holds a {type(network).__name__}")
        return network
    except FileNotFoundError:
        raise SpikeloomError(f"{path}: no such file; save an integer network first") from None
    except (
        ValueError,
        OSError,
        EOFError,
        KeyError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
    ) as error:
        raise SpikeloomError(
            f"{path}: not an integer network of this version ({error}); lower and save it again"
        ) from None
