"""Images from files."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from hw.common import npz
from hw.common.errors import SpikeloomError
from sw.data import load
from sw.data.catalogue import SOURCES
from sw.host.pictures import NETPBM, PILLOW, in_channels, read_picture
from sw.host.sequences import Frames, is_sequence, one_sequence

#: Data sets of images.
STILL = tuple(s.name for s in SOURCES.values() if s.kind not in ("events", "sequences"))
SUFFIXES = (".npy", *NETPBM, *PILLOW)  #: Of files that are read.
KINDS = ".npy, .pgm, .ppm, .png, .jpg or DATA:INDEX, such as digits:3 or mnist:3"


def read_image(source: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return an image as uint8 of ``shape``, [C, H, W] or [T, C, H, W].

    Parameters
    ----------
    source : str
        A .npy file (whole numbers 0 to 255, of the network's shape or with channels last), a
        picture (`sw.host.pictures`: grey and colour, other depths scaled, warned of), or
        ``DATA:INDEX``, an image of a data set's test split at the network's size (`sw.data.load`).
    shape : tuple of int
        What the network reads.
    """
    name, colon, index = source.partition(":")
    path = Path(source)
    if name in STILL and not path.exists():
        return _test_image(source, shape)
    if is_sequence(source) and not path.exists():
        raise SpikeloomError(
            f"image {source!r}: {name} has sequences and no still images; python -m sw.host stream "
            "runs one"
        )
    if colon and index.isdecimal() and not path.exists():
        raise SpikeloomError(
            f"image {source!r}: {name} is no data set of still images; those are {', '.join(STILL)}"
        )
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise SpikeloomError(f"image {source!r} is of no known kind; give {KINDS}")
    try:
        with path.open("rb"):
            pass
    except OSError as e:
        raise SpikeloomError(f"cannot read image {source!r}: {e.strerror or e}") from None
    if kind == ".npy":
        return _array(source, _npy(path), shape)
    pixels = read_picture(path)
    if pixels.shape[:2] != tuple(shape[-2:]):
        raise SpikeloomError(_sizes(source, pixels.shape[1::-1], shape[:-3:-1]))
    if len(shape) == 4 and shape[0] != 1:
        raise SpikeloomError(
            f"image {source!r} is one picture, but the network reads {shape[0]} frames, "
            f"{list(shape)}; give them as a .npy file of uint8"
        )
    return in_channels(source, pixels, shape[-3]).reshape(shape)


def _sizes(source: str, got: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """What to do about a picture of another size; sizes are (width, height)."""
    smaller = f"{Path(source).stem}-{wanted[0]}x{wanted[1]}.png"
    return (
        f"image {source!r} is {got[0]}x{got[1]} pixels (width x height), the network reads "
        f'{wanted[0]}x{wanted[1]}; resize it: python -c "from PIL import Image; '
        f'Image.open({source!r}).resize(({wanted[0]}, {wanted[1]})).save({smaller!r})"'
    )


def _array(source: str, image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array of pixels in the network's shape, its axes in the order that they can only be."""
    if image.dtype.kind not in "iu" or image.dtype == np.bool_:
        scaled = image.dtype.kind == "f" and image.size and 0 <= image.min() <= image.max() <= 1
        how = "(255 * images).round()" if scaled or image.dtype.kind == "b" else "images"
        raise SpikeloomError(
            f"image {source!r} holds {image.dtype}; give uint8 pixels 0 to 255, not normalised: "
            f"numpy.save(FILE, {how}.astype('uint8'))"
        )
    if image.size and not 0 <= image.min() <= image.max() <= 255:
        raise SpikeloomError(
            f"image {source!r} has values {image.min()} to {image.max()}; give pixels 0 to 255"
        )
    image = image.astype(np.uint8)
    squeezed = tuple(n for n in shape if n != 1)
    if image.shape == tuple(shape) or tuple(n for n in image.shape if n != 1) == squeezed:
        return image.reshape(shape)
    last = (*shape[:-3], *shape[-2:], shape[-3])
    if image.shape == last:
        return np.ascontiguousarray(np.moveaxis(image, -1, -3))
    if (
        image.ndim > 2
        and image.shape[0] > 1
        and (image.shape[1:] in (tuple(shape), last) or image.shape[1:] == squeezed)
    ):
        raise SpikeloomError(
            f"image {source!r} holds {image.shape[0]} images; give one of them: "
            f"numpy.save(FILE, numpy.load({source!r})[0])"
        )
    raise SpikeloomError(
        f"image {source!r} has shape {list(image.shape)}, but the network reads "
        f"{list(shape)}; resize it"
    )


def read_frames(source: str, program: Any) -> tuple[np.ndarray, Frames | None]:
    """Return the frames of a .npy file or of a test sequence, and that sequence.

    uint8 (F, *program.input_shape), for a stream program. A sequence is named DATA:INDEX.
    """
    if not program.stream:
        raise SpikeloomError(
            f"program {program.name!r} is no stream program: its membranes start anew with every "
            "image; lower the network with stream=True (--stream) and compile it again"
        )
    path = Path(source)
    if is_sequence(source) and not path.exists():
        found = one_sequence(source, tuple(program.input_shape))
        return found.pixels, found
    if not path.is_file():
        raise SpikeloomError(f"cannot read frames {source!r}: no such file")
    frames, shape = _npy(path), tuple(program.input_shape)
    if frames.dtype != np.uint8 or frames.ndim != len(shape) + 1 or frames.shape[1:] != shape:
        raise SpikeloomError(
            f"frames {source!r} are {frames.dtype} of shape {list(frames.shape)}, but the network "
            f"reads uint8 of shape [frames, {', '.join(map(str, shape))}]"
        )
    return frames, None


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
        return npz.read_array(path)
    except npz.ArchiveError:
        raise SpikeloomError(f"image {str(path)!r} is not a whole .npy file of numbers") from None
