"""Reading weight files into a flat dict of float32 arrays, whatever the container."""

import argparse
import json
import pathlib
import re
import struct
import zipfile
import zlib

import numpy as np

from hw.common.errors import SpikeloomError

SUFFIXES = (".safetensors", ".npz", ".pt", ".pth", ".tar")
WRAPPERS = ("state_dict", "model", "net", "model_state_dict", "state_dict_ema")
PREFIXES = ("module.", "_orig_mod.")  #: Of DataParallel and torch.compile.
BROKEN = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    SyntaxError,
    NotImplementedError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


def read_state(path: pathlib.Path) -> dict[str, np.ndarray]:
    """State dict of ``path`` as float32 arrays; bookkeeping tensors dropped."""
    if path.suffix not in SUFFIXES:
        raise SpikeloomError(
            f"{path}: unknown kind of file {path.suffix!r}; give one of {', '.join(SUFFIXES)}, .nir"
        )
    if not path.is_file():
        raise SpikeloomError(f"{path}: no such file; give a weight file's path or a shipped name")
    if path.suffix == ".npz":
        raw = _read_npz(path)
    elif path.suffix == ".safetensors":
        raw = _read_safetensors(path)
    else:
        raw = _read_torch(path)
    return _clean(path, raw)


def stem(path: pathlib.Path) -> str:
    """Network's name in a file's name: ``x`` of ``x.npz``, ``x.weights.npz``, ``x.pth.tar``."""
    name = path.name.removesuffix(path.suffix)
    for suffix in (".pth", ".pt", ".weights"):
        name = name.removesuffix(suffix)
    return name


def read_sidecar(path: pathlib.Path) -> dict:
    """Settings in the JSON file beside ``path`` (``x.json``, see ``stem``).

    Empty where there is no such file.
    """
    side = path.with_name(stem(path) + ".json")
    if not side.is_file():
        return {}
    try:
        settings = json.loads(side.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise SpikeloomError(f"{side}: not readable as JSON ({error}); mend or remove it") from None
    if not isinstance(settings, dict):
        raise SpikeloomError(
            f"{side}: holds a {type(settings).__name__}, wanted an object of settings; "
            "mend or remove it"
        )
    return settings


def _broken(path: pathlib.Path, what: str, error: Exception) -> SpikeloomError:
    detail = str(error).strip().split("\n")[0] or type(error).__name__
    return SpikeloomError(
        f"{path}: not readable as {what} ({detail}); the file is truncated or of another kind: "
        "fetch or save it again"
    )


def _read_npz(path: pathlib.Path) -> dict:
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("a single array, not an archive of arrays")
        with archive:
            return {key: archive[key] for key in archive.files}
    except BROKEN as error:
        raise _broken(path, "an npz archive of plain arrays", error) from None


def _read_safetensors(path: pathlib.Path) -> dict:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise SpikeloomError(
            f"{path}: reading safetensors needs the safetensors package; pip install safetensors"
        ) from None
    try:
        return safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, TypeError, *BROKEN) as error:
        raise _broken(path, "safetensors", error) from None


def _read_torch(path: pathlib.Path) -> dict:
    try:
        import torch
    except ImportError:
        raise SpikeloomError(
            f"{path}: reading {path.suffix} files needs torch; pip install -e '.[torch]'"
        ) from None
    import pickle

    try:
        with torch.serialization.safe_globals(_plain_types()):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, AttributeError, IndexError, *BROKEN) as error:
        if found := re.search(r"GLOBAL (\w[\w.]*)", str(error)):
            raise SpikeloomError(
                f"{path}: not readable as a torch file of weights only: it holds objects of "
                f"{found[1]}, and nothing from a checkpoint is executed; save "
                "model.state_dict() alone"
            ) from None
        raise _broken(path, "a torch file of weights only", error) from None
    return _unwrap(path, state)


def _plain_types() -> list:
    """Types of settings and numbers that trainers store beside weights; none of them acts."""
    scalar = np.float64(0).__reduce__()[0]
    types: list = [argparse.Namespace, np.dtype, *(type(np.dtype(t)) for t in "?bBhHiIlLefd")]
    return [*types, scalar, (scalar, "numpy.core.multiarray.scalar")]


def _unwrap(path: pathlib.Path, state: object) -> dict:
    """Flat dict of tensors out of wrappers such as ``{"state_dict": ...}``."""
    for _ in range(3):
        if not isinstance(state, dict):
            break
        inner = next((state[k] for k in WRAPPERS if isinstance(state.get(k), dict)), None)
        if inner is None:
            break
        state = inner
    if not isinstance(state, dict):
        raise SpikeloomError(
            f"{path}: holds a {type(state).__name__}, wanted a state dict; save model.state_dict()"
        )
    tensors = {str(k): v for k, v in state.items() if hasattr(v, "detach")}
    return {k: v.detach().to("cpu").to_dense().double().numpy() for k, v in tensors.items()}


def _clean(path: pathlib.Path, raw: dict) -> dict[str, np.ndarray]:
    state, wrong, unreal = {}, [], []
    for key, value in raw.items():
        name = key
        while name.startswith(PREFIXES):
            name = name.partition(".")[2]
        if name.endswith("num_batches_tracked") or (value.ndim == 0 and "." not in name):
            continue  # the second kind: the epoch and such, beside the tensors
        if value.dtype.kind not in "fiub":
            wrong.append(f"{key} ({value.dtype})")
            continue
        with np.errstate(over="ignore"):
            state[name] = np.ascontiguousarray(value, dtype=np.float32)
        if not np.isfinite(state[name]).all():
            unreal.append(key)
    if wrong:
        raise SpikeloomError(f"{path}: tensors that are not real numbers: {', '.join(wrong)}")
    if unreal:
        raise SpikeloomError(
            f"{path}: NaN or infinity in {', '.join(unreal)}; the training diverged or the file "
            "is damaged: use another checkpoint"
        )
    if not state:
        raise SpikeloomError(f"{path}: holds no tensors; give a trained network's weights")
    return state
