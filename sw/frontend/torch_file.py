"""Torch files (.pt, .pth, .ckpt, ...): weights only, and nothing of a size is believed unseen."""

import argparse
import pathlib
import pickle
import pickletools
import re
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

from hw.common.errors import SpikeloomError

FREE, RATIO = 64 << 20, 64  #: Bytes that contents may take, beside so many for each of the file.
MAX_PICKLE = 64 << 20  #: Bytes of the description of a file's objects.
MAX_OPS = 5_000_000  #: Its operations.
CHUNK = 1 << 20


def read(path: pathlib.Path) -> Any:
    """Whatever a torch file holds: dicts, lists, numbers, tensors, arrays.

    SpikeloomError where it is damaged, holds other objects, or is out of proportion.
    """
    try:
        import torch
    except ImportError:
        raise SpikeloomError(
            f"{path}: reading {path.suffix} files needs torch; pip install -e '.[torch]'"
        ) from None
    try:
        _inspect(path)
        with torch.serialization.safe_globals(_plain_types()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except SpikeloomError:
        raise
    except OSError as error:
        raise SpikeloomError(
            f"{path}: cannot be read ({error.strerror or error}); check path and permissions"
        ) from None
    except (
        RuntimeError,
        pickle.UnpicklingError,
        AttributeError,
        IndexError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        SyntaxError,
        NotImplementedError,
        MemoryError,
        OverflowError,
        RecursionError,
        AssertionError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise _told(path, error) from None


def _told(path: pathlib.Path, error: Exception) -> SpikeloomError:
    if found := re.search(r"GLOBAL (\w[\w.]*)", str(error)):
        return SpikeloomError(
            f"{path}: not readable as a torch file of weights only: it holds objects of "
            f"{found[1][:100]}, and nothing from a checkpoint is executed; save "
            "model.state_dict() alone"
        )
    reason = (str(error).strip().split("\n")[0] or type(error).__name__)[:200]
    return SpikeloomError(
        f"{path}: not readable as a torch file of weights only ({reason}); the file is damaged, "
        "truncated or of another kind: fetch or save it again"
    )


def _inspect(path: pathlib.Path) -> None:
    """Find damage by the archive's checksums, which torch does not look at, and absurd sizes."""
    size = path.stat().st_size
    if not zipfile.is_zipfile(path):
        _inspect_pickle(path.read_bytes(), size)
        return
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        total = sum(info.file_size for info in infos)
        if total > FREE + RATIO * size:
            raise ValueError(f"its members take {total} bytes unpacked, the file {size}")
        for info in infos:
            with archive.open(info) as member:
                if info.filename.endswith(".pkl"):
                    if info.file_size > MAX_PICKLE:
                        raise ValueError(f"{info.filename} has {info.file_size} bytes")
                    _inspect_pickle(member.read(), total)
                while member.read(CHUNK):
                    pass


def _inspect_pickle(data: bytes, size: int) -> None:
    """Refuse endless descriptions, and storages larger than the file.

    The older format has several pickles in a row and the storages after them; looking ends where
    they no longer parse.
    """
    at, ops = 0, 0
    last = 0
    try:
        while at < len(data):
            end = at
            for op, argument, position in pickletools.genops(data[at:]):
                ops += 1
                if ops > MAX_OPS:
                    raise _TooLongError
                if op.name in ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG"):
                    last = argument if isinstance(argument, int) else 0
                elif op.name == "BINPERSID" and last > FREE + RATIO * size:
                    raise _TooLargeError
                end = at + (position or 0) + 1
            at = end
            if at and ops > 100 and data[at : at + 1] != b"\x80":
                return
    except _TooLongError:
        raise ValueError(f"it takes more than {MAX_OPS} operations to describe") from None
    except _TooLargeError:
        raise ValueError(f"a storage of {last} numbers in a file of {size} bytes") from None
    except (ValueError, IndexError, KeyError, OverflowError, UnicodeDecodeError):
        return  # torch tells what is wrong


class _TooLongError(Exception):
    """More operations than are looked at."""


class _TooLargeError(Exception):
    """A storage larger than the file."""


def _plain_types() -> list:
    """Types of settings, numbers and arrays that trainers store beside weights; none acts."""
    scalar = np.float64(0).__reduce__()[0]
    rebuild = np.zeros(1).__reduce__()[0]
    types: list = [argparse.Namespace, np.dtype, *(type(np.dtype(t)) for t in "?bBhHiIlLefd")]
    return [
        *types,
        np.ndarray,
        scalar,
        (scalar, "numpy.core.multiarray.scalar"),
        rebuild,
        (rebuild, "numpy.core.multiarray._reconstruct"),
        (rebuild, "numpy._core.multiarray._reconstruct"),
    ]


def array(path: pathlib.Path, key: str, tensor: Any) -> np.ndarray:
    """A tensor as a plain array; floats of any width as float32, complex ones as they are.

    SpikeloomError for one without values, of another layout, or larger than what is stored of it.
    """
    shown = key[:80]

    def fail(what: str, cure: str) -> SpikeloomError:
        return SpikeloomError(f"{path}: tensor {shown} {what}; {cure}")

    again = "save model.state_dict() of the trained network on a CPU"
    if tensor.is_meta:
        raise fail("has a shape but no values (it was saved from the meta device)", again)
    if tensor.is_quantized:
        raise fail("is quantised by torch", "save the float weights: tensor.dequantize()")
    if getattr(tensor, "is_nested", False):
        raise fail("is a nested tensor", again)
    if str(tensor.layout) != "torch.strided":
        raise fail("is sparse", "save it dense: tensor.to_dense()")
    held = tensor.untyped_storage().nbytes()
    if tensor.numel() * tensor.element_size() > held:
        raise fail(
            f"of shape {list(tensor.shape)} is an expanded view of {held} bytes",
            "save it whole: tensor.clone()",
        )
    tensor = tensor.detach()
    if tensor.is_complex():
        return tensor.resolve_conj().numpy()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
