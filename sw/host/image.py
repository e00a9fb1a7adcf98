"""Images from files."""

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hw.common.errors import SpikeloomError
from sw.data import load
from sw.data.catalogue import SOURCES

STILL = tuple(s.name for s in SOURCES.values() if s.kind != "events")  #: Data sets of images.
MAX_PIXELS = 1 << 24  #: Of a picture that is opened.
KINDS = ".npy, .pgm, .png or DATA:INDEX, such as digits:3 or mnist:3"


def read_image(source: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return an image as uint8 of ``shape``, [C, H, W] or [T, C, H, W].

    Parameters
    ----------
    source : str
        A .npy file (uint8), a .pgm (grey, 8 bits), a .png, or ``DATA:INDEX``, an image of a data
        set's test split at the network's size (`sw.data.load`).
    shape : tuple of int
        What the network reads.
    """
    name, colon, index = source.partition(":")
    if name in STILL:
        image = _test_image(source, shape)
    elif colon and index.isdecimal() and not Path(source).exists():
        raise SpikeloomError(
            f"image {source!r}: {name} is no data set of still images; those are "
            f"{', '.join(STILL)}"
        )
    else:
        path = Path(source)
        try:
            data = path.read_bytes()
        except OSError as e:
            raise SpikeloomError(f"cannot read image {source!r}: {e.strerror or e}") from None
        kind = path.suffix.lower()
        if kind == ".npy":
            image = _npy(path)
        elif kind == ".pgm":
            image = _pgm(data, source)
        elif kind == ".png":
            image = _png(path)
        else:
            raise SpikeloomError(f"image {source!r} is of no known kind; give {KINDS}")
    if image.dtype != np.uint8:
        raise SpikeloomError(f"image {source!r} holds {image.dtype}; give uint8 pixels 0 to 255")
    if image.ndim == 3 and image.shape[0] not in shape[-3:-2] and image.shape[2] == shape[-3]:
        image = np.moveaxis(image, 2, 0)  # pixels of several channels come last in PNG
    squeezed = tuple(n for n in shape if n != 1)
    if image.shape != tuple(shape) and tuple(n for n in image.shape if n != 1) != squeezed:
        raise SpikeloomError(
            f"image {source!r} has shape {list(image.shape)}, but the network reads "
            f"{list(shape)}; resize it"
        )
    return image.reshape(shape)


def read_frames(source: str, program: Any) -> np.ndarray:
    """Return the frames of a .npy file, uint8 (F, *program.input_shape), for a stream program."""
    if not program.stream:
        raise SpikeloomError(
            f"program {program.name!r} is no stream program: its membranes start anew with every "
            "image; lower the network with stream=True (--stream) and compile it again"
        )
    path = Path(source)
    if not path.is_file():
        raise SpikeloomError(f"cannot read frames {source!r}: no such file")
    frames, shape = _npy(path), tuple(program.input_shape)
    if frames.dtype != np.uint8 or frames.ndim != len(shape) + 1 or frames.shape[1:] != shape:
        raise SpikeloomError(
            f"frames {source!r} are {frames.dtype} of shape {list(frames.shape)}, but the network "
            f"reads uint8 of shape [frames, {', '.join(map(str, shape))}]"
        )
    return frames


def test_split(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return all images of a data set's test split, uint8 (B, *shape)."""
    channels = SOURCES[name].shape[0]
    if len(shape) != 3 or shape[0] != channels or shape[1] != shape[2]:
        raise SpikeloomError(
            f"images of {name} are square and have {channels} channel{'s' * (channels > 1)}, but "
            f"the network reads {list(shape)}"
        )
    return load(name, shape[1]).test_images


def _test_image(source: str, shape: tuple[int, ...]) -> np.ndarray:
    name, _, index = source.partition(":")
    images = test_split(name, shape)
    if not re.fullmatch(r"\d+", index) or int(index) >= len(images):
        raise SpikeloomError(f"image {source!r}: the index must be 0 to {len(images) - 1}")
    return images[int(index)]


def _npy(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, OSError, EOFError):
        raise SpikeloomError(f"image {str(path)!r} is not a whole .npy file") from None


def _pgm(data: bytes, source: str) -> np.ndarray:
    # Magic, width, height and maximum, with white space and comments between, then one white byte.
    head = re.match(rb"P[25]" + rb"(?:\s|#[^\n]*\n)+(\d{1,9})" * 3 + rb"\s", data)
    if head:
        width, height, top = map(int, head.groups())
        body = data[head.end() :]
        try:
            pixels = (np.array(body.split(), np.int64) if data[1:2] == b"2"
                      else np.frombuffer(body, np.uint8))
        except (ValueError, OverflowError):
            pixels = np.zeros(0)
        if top == 255 and pixels.size >= width * height > 0:
            pixels = pixels[: width * height]
            if 0 <= pixels.min() <= pixels.max() <= 255:
                return pixels.astype(np.uint8).reshape(height, width)
    raise SpikeloomError(f"image {source!r} is not a whole grey PGM file of 8 bits (maximum 255)")


def _png(path: Path) -> np.ndarray:
    try:
        from PIL import Image  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise SpikeloomError(
            "Pillow is not installed, and .png images need it: pip install pillow, "
            "or give a .npy or .pgm file"
        ) from None
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise SpikeloomError(
                    f"image {str(path)!r} has {picture.width} x {picture.height} pixels, at most "
                    f"{MAX_PIXELS} are read; resize it"
                )
            if picture.mode.startswith("I"):  # Pillow's convert clips 16 bits instead of scaling
                wide = np.asarray(picture).astype(np.int64)
                warnings.warn(f"image {str(path)!r}: 16 bits scaled to 8", stacklevel=2)
                return ((wide * 255 + 32767) // 65535).astype(np.uint8)
            return np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise SpikeloomError(f"image {str(path)!r} is not a whole PNG file of sane size") from None
