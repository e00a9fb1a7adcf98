"""Reading weight files into arrays by name, whatever the container; and the file beside them."""

import pathlib
from typing import Any

import numpy as np

from hw.common import npz
from hw.common.errors import SpikeloomError
from hw.common.files import read_json
from sw.frontend import torch_file
from sw.frontend import weights as safetensors_file
from sw.frontend.containers import Weights, unwrap

TORCH = (".pt", ".pth", ".ckpt", ".bin", ".tar")
SUFFIXES = (".safetensors", ".npz", *TORCH)


def suffix(path: pathlib.Path) -> str:
    """Kind of a file by its name, in lower case."""
    return path.suffix.lower()


def read_weights(path: pathlib.Path, which: str | None = None) -> Weights:
    """One network's tensors out of ``path``; ``which``: 'raw' or 'ema' weights, where it has both.

    SpikeloomError where there is no such file, or none that can be read.
    """
    kind = suffix(path)
    if kind not in SUFFIXES:
        raise SpikeloomError(
            f"{path}: unknown kind of file {path.suffix!r}; give one of {', '.join(SUFFIXES)}, .nir"
        )
    if not path.is_file():
        raise SpikeloomError(f"{path}: no such file; give a weight file's path or a shipped name")
    if kind in TORCH:
        state = torch_file.read(path)
        return unwrap(
            path,
            state,
            lambda key, t: torch_file.array(path, key, t),
            lambda value: hasattr(value, "detach"),
            which,
        )
    state: Any
    if kind == ".npz":
        try:
            state = npz.read(path)
        except npz.ArchiveError as error:
            raise SpikeloomError(
                f"{path}: not readable as an npz archive of plain arrays ({error}); the file is "
                "damaged, truncated or of another kind: fetch or save it again"
            ) from None
    else:
        state = safetensors_file.read(path)
    return unwrap(path, state, lambda key, a: a, lambda v: isinstance(v, np.ndarray), which)


def stem(path: pathlib.Path) -> str:
    """Network's name in a file's name: ``x`` of ``x.npz``, ``x.weights.npz``, ``x.pth.tar``."""
    name = path.name.removesuffix(path.suffix)
    for ending in (".pth", ".pt", ".ckpt", ".weights"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name


def side_file(path: pathlib.Path) -> pathlib.Path | None:
    """The JSON file beside ``path``: ``x.json`` (see ``stem``), its suffix in any case."""
    wanted = stem(path) + ".json"
    side = path.with_name(wanted)
    if side.is_file():
        return side
    try:
        return next(
            (
                p
                for p in sorted(path.parent.iterdir())
                if p.stem == stem(path) and p.suffix.lower() == ".json"
            ),
            None,
        )
    except OSError:
        return None


def read_sidecar(path: pathlib.Path) -> dict:
    """Settings in the JSON file beside ``path``; empty where there is no such file."""
    side = side_file(path)
    if side is None:
        return {}
    settings = read_json(side)
    if not isinstance(settings, dict):
        raise SpikeloomError(
            f"{side}: holds a {type(settings).__name__}, wanted an object of settings; "
            "mend or remove it"
        )
    return settings
