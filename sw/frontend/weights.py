"""Files of tensors (.safetensors): every usual type read with bounds, written with a digest.

The digest stands in the file's metadata and covers names, types, shapes and bytes; it is checked
where it is there. Files from elsewhere carry none, and damage that leaves them well-formed cannot
be found.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy

from hw.common.errors import SpikeloomError
from hw.common.files import digest

DIGEST = "spikeloom.sha256"
MAX_HEADER = 64 << 20  #: Bytes.
PLAIN = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "C64": "<c8",
}
_NAMES = {np.dtype(text): name for name, text in PLAIN.items()}


def _float8(exponent: int, bias: int, infinite: bool) -> np.ndarray:
    """All 256 values of an 8-bit float; ``infinite``: the largest exponent is inf and NaN."""
    mantissa = 7 - exponent
    code = np.arange(256)
    sign = np.where(code >> 7, -1.0, 1.0)
    e, m = (code >> mantissa) & ((1 << exponent) - 1), code & ((1 << mantissa) - 1)
    fraction = m / (1 << mantissa)
    value = np.where(e == 0, fraction * 2.0 ** (1 - bias), (1 + fraction) * 2.0 ** (e - bias))
    top = e == (1 << exponent) - 1
    if infinite:
        value = np.where(top, np.where(m == 0, np.inf, np.nan), value)
    else:
        value = np.where((code & 0x7F) == 0x7F, np.nan, value)
    return (sign * value).astype(np.float32)


FLOAT8 = {"F8_E4M3": _float8(4, 7, False), "F8_E5M2": _float8(5, 15, True)}


def read(path: Path) -> dict[str, np.ndarray]:
    """Tensors by name; bfloat16 and 8-bit floats as float32.

    SpikeloomError where the file is no whole one, or its digest does not agree.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpikeloomError(
            f"{path}: cannot be read ({error.strerror or error}); check path and permissions"
        ) from None
    try:
        return _parse(data)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SpikeloomError(
            f"{path}: not readable as safetensors ({reason}); the file is damaged, truncated or of "
            "another kind: fetch or save it again"
        ) from None


def _parse(data: bytes) -> dict[str, np.ndarray]:
    if len(data) < 8:
        raise ValueError(f"{len(data)} bytes")
    length = int.from_bytes(data[:8], "little")
    if length > min(MAX_HEADER, len(data) - 8):
        raise ValueError(f"a header of {length} bytes in a file of {len(data)}")
    header = json.loads(data[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    metadata = header.pop("__metadata__", {})
    body = memoryview(data)[8 + length :]
    raw: dict[str, tuple[str, list[int], bytes | memoryview]] = {}
    at = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        kind, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        if kind not in PLAIN and kind not in FLOAT8 and kind != "BF16":
            raise ValueError(f"tensor {name[:80]!r} has the unknown type {str(kind)[:20]!r}")
        size = 2 if kind == "BF16" else 1 if kind in FLOAT8 else np.dtype(PLAIN[kind]).itemsize
        if not isinstance(shape, list) or len(shape) > 16:
            raise ValueError(f"tensor {name[:80]!r} has no shape")
        for side in shape:
            if type(side) is not int or not 0 <= side <= len(body):
                raise ValueError(f"tensor {name[:80]!r} has a side of {str(side)[:30]}")
            size *= side
        if (type(start), type(end)) != (int, int) or start != at or end - start != size:
            raise ValueError(f"tensor {name[:80]!r} does not lie where its shape says")
        at = end
        if end > len(body):
            raise ValueError(f"tensor {name[:80]!r} is cut off")
        raw[name] = kind, shape, body[start:end]
    if at != len(body):
        raise ValueError(f"{len(body) - at} bytes after the last tensor")
    if isinstance(metadata, dict) and DIGEST in metadata and metadata[DIGEST] != _digest(raw):
        raise ValueError("its digest does not agree with its contents")
    return {name: _tensor(*entry) for name, entry in raw.items()}


def _tensor(kind: str, shape: list[int], data: bytes | memoryview) -> np.ndarray:
    if kind == "BF16":
        wide = np.frombuffer(data, "<u2").astype("<u4") << 16
        return wide.view("<f4").reshape(shape)
    if kind in FLOAT8:
        return FLOAT8[kind][np.frombuffer(data, np.uint8)].reshape(shape)
    return np.frombuffer(data, PLAIN[kind]).reshape(shape).copy()


def _digest(raw: Mapping[str, tuple[str, list[int], bytes | memoryview]]) -> str:
    parts: list[bytes | str] = []
    for name in sorted(raw):
        kind, shape, data = raw[name]
        parts += [name, kind, json.dumps(list(shape)), bytes(data)]
    return digest(*parts)


def seal(tensors: Mapping[str, np.ndarray]) -> bytes:
    """A safetensors file with its digest: the same tensors give the same bytes."""
    whole = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    raw = {n: (_NAMES[t.dtype], list(t.shape), t.tobytes()) for n, t in whole.items()}
    return safetensors.numpy.save(whole, metadata={DIGEST: _digest(raw)})
