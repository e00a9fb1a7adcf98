"""Pictures from files as 8-bit pixels; whatever had to be done to them is told."""

import re
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np

from hw.common.errors import SpikeloomError
from sw.host.png import pixel_bytes

MAX_PIXELS = 1 << 26  #: Of a picture that is read.
NETPBM = (".pgm", ".ppm", ".pnm")
PILLOW = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_TOKEN = re.compile(rb"(?:\s|#[^\n]*\n)*(\d{1,9})(?=\s|#)")


def _note(source: str, text: str) -> None:
    warnings.warn(f"image {source}: {text}", stacklevel=4)


def read_picture(path: Path) -> np.ndarray:
    """Pixels uint8 (H, W) of a grey picture or (H, W, 3) of a coloured one.

    Values of other depths are scaled to 0..255, transparency is laid over black; both are warned
    of. SpikeloomError where it is no whole picture, or an absurd one.
    """
    if path.suffix.lower() in NETPBM:
        return _netpbm(path)
    return _pillow(path)


def _scaled(source: str, values: np.ndarray, top: int) -> np.ndarray:
    """Values 0 to ``top`` on the scale of 0..255, to the nearest."""
    if top == 255:
        return values.astype(np.uint8)
    _note(source, f"its values of 0 to {top} are scaled to 0 to 255")
    return ((values.astype(np.int64) * 510 + top) // (2 * top)).astype(np.uint8)


def _netpbm(path: Path) -> np.ndarray:
    source = str(path)
    data = path.read_bytes()
    wrong = SpikeloomError(
        f"image {source!r} is not a whole PGM or PPM file (P2, P3, P5 or P6; width, height, "
        "largest value 1 to 65535, pixels); save it again"
    )
    if data[:2] not in (b"P2", b"P3", b"P5", b"P6"):
        raise wrong
    at, numbers = 2, []
    for _ in range(3):
        found = _TOKEN.match(data, at)
        if found is None:
            raise wrong
        numbers.append(int(found[1]))
        at = found.end()
    width, height, top = numbers
    colours = 3 if data[1:2] in b"36" else 1
    count = width * height * colours
    if not 0 < width * height <= MAX_PIXELS or not 0 < top < 1 << 16:
        raise SpikeloomError(
            f"image {source!r} says {width}x{height} pixels of 0 to {top}; at most {MAX_PIXELS} "
            "pixels of 1 to 65535 are read"
        )
    if data[1:2] in b"23":
        tokens = re.sub(rb"#[^\n]*", b" ", data[at:]).split()[:count]
        if len(tokens) < count or any(len(t) > 5 or not t.isdigit() for t in tokens):
            raise wrong
        values = np.array(tokens, dtype=np.int64)
    else:
        body = data[at + 1 :]
        kind = np.dtype(">u2" if top > 255 else "u1")
        if len(body) < count * kind.itemsize:
            raise wrong
        values = np.frombuffer(body, kind, count)
    if values.max() > top:
        raise wrong
    shape = (height, width, 3) if colours == 3 else (height, width)
    return _scaled(source, values, top).reshape(shape)


def _pillow(path: Path) -> np.ndarray:
    source = str(path)
    try:
        from PIL import Image  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise SpikeloomError(
            f"Pillow is not installed, and {path.suffix} images need it: pip install pillow, "
            "or give a .npy or .pgm file"
        ) from None
    kind = path.suffix.lower().lstrip(".").upper()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                width, height = picture.size
                if not 0 < width * height <= MAX_PIXELS:
                    raise Image.DecompressionBombError(f"{width}x{height} pixels")
                picture.load()
                held = picture.copy()
                held.info = dict(picture.info)
                there, wanted = pixel_bytes(path) if picture.format == "PNG" else (0, 0)
    except Image.DecompressionBombError as error:
        reason = str(error).split(",")[0]
        raise SpikeloomError(
            f"image {source!r} is too large ({reason}; at most {MAX_PIXELS} pixels are read); "
            "make it smaller"
        ) from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        MemoryError,
        OverflowError,
        TypeError,
        IndexError,
        KeyError,
        AttributeError,
        struct.error,
        zlib.error,
    ):
        text = f"image {source!r} is not a whole {kind} file; save it again"
        raise SpikeloomError(text) from None
    if there < wanted:
        raise SpikeloomError(
            f"image {source!r} is truncated: it holds {there} bytes of pixels and their rows' "
            f"filters, wanted {wanted}; save it again"
        )
    return _pixels(source, held)


def _pixels(source: str, picture) -> np.ndarray:
    """A Pillow image as grey or coloured pixels."""
    mode = picture.mode
    if mode.startswith("I"):
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise SpikeloomError(
                f"image {source!r} has values {values.min()} to {values.max()}; give 8 or 16 bits"
            )
        return _scaled(source, values, 65535)
    if mode == "F":
        raise SpikeloomError(f"image {source!r} holds floats; save it with 8 bits a pixel")
    if mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        values = np.asarray(picture).astype(np.int64)
        alpha = values[..., 3:]
        if (alpha != 255).any():
            _note(source, "its transparent pixels are laid over black")
        return _grey_if_grey(((values[..., :3] * alpha + 127) // 255).astype(np.uint8))
    if mode in ("1", "L"):
        return np.asarray(picture.convert("L"))
    return _grey_if_grey(np.asarray(picture.convert("RGB")))


def _grey_if_grey(pixels: np.ndarray) -> np.ndarray:
    """(H, W) where all three colours are equal everywhere."""
    same = (pixels[..., :1] == pixels).all()
    return np.ascontiguousarray(pixels[..., 0]) if same else pixels


def in_channels(source: str, pixels: np.ndarray, channels: int) -> np.ndarray:
    """Pixels (C, H, W) for a network of 1 or 3 channels; what is converted is warned of."""
    if pixels.ndim == 2 and channels == 1:
        return pixels[None]
    if pixels.ndim == 2 and channels == 3:
        _note(source, "it is grey, and each of the network's three channels gets the same")
        return np.repeat(pixels[None], 3, axis=0)
    if pixels.ndim == 3 and channels == 3:
        return np.moveaxis(pixels, 2, 0)
    if pixels.ndim == 3 and channels == 1:
        _note(source, "it is coloured and made grey: 0.299 R + 0.587 G + 0.114 B")
        weights = np.array([299, 587, 114])
        return ((pixels.astype(np.int64) @ weights + 500) // 1000).astype(np.uint8)[None]
    raise SpikeloomError(
        f"image {source!r} has {1 if pixels.ndim == 2 else 3} channels, the network reads "
        f"{channels}; give a .npy file of uint8 with that many"
    )
