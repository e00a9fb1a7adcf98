"""Images of a network's own data set, with their labels, or noise."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.common.errors import SpikeloomError
from sw.compiler.program import Program
from sw.data import load
from sw.host.image import KINDS, STILL, SUFFIXES, read_image, test_split
from sw.host.sequences import SEQUENCES, Frames, first_frames, is_sequence, one_sequence

TOLD = 20  #: Wrong images that are named.


@dataclass(frozen=True, kw_only=True)
class Images:
    """What runs: pixels, and where they are from."""

    pixels: np.ndarray  #: uint8 (B, ...).
    names: tuple[str, ...]
    labels: tuple[int, ...] = ()  #: Where known.
    sequence: Frames | None = None  #: Whose frames they are.

    @property
    def title(self) -> str:
        """Name of the one image, or of the first and the last."""
        first, *more = self.names
        return f"images {first} to {more[-1]}" if more else f"image {first}"

    def of(self, program: Program) -> "Images":
        """The same for ``program``: images that are steps of a stream have no labels each."""
        return dataclasses.replace(self, labels=()) if program.stream else self

    def one(self, n: int) -> "Images":
        """Image ``n`` alone."""
        labels = self.labels[n : n + 1]
        return Images(pixels=self.pixels[n : n + 1], names=(self.names[n],), labels=labels)

    def verdict(self, prediction: int) -> str:
        """The label of the one image and whether ``prediction`` is right; "" if not known."""
        if not self.labels:
            return ""
        (label,) = self.labels
        return f", label {label}: {'right' if label == prediction else 'WRONG'}"

    def accuracy(self, predictions: Sequence[int]) -> list[str]:
        """Labels, how many predictions are right and which are wrong, as lines of text.

        None where labels are not known.
        """
        if not self.labels:
            return []
        pairs = zip(self.names, self.labels, predictions, strict=True)
        wrong = [f"{name} (label {a}, class {b})" for name, a, b in pairs if a != b]
        total = len(self.labels)
        right = total - len(wrong)
        more = f" and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
        told = f"; wrong: {', '.join(wrong[:TOLD])}{more}" if wrong else ""
        return [
            f"labels  {' '.join(map(str, self.labels))}",
            f"right {right} of {total} ({100 * right / total:.2f} %){told}",
        ]


def count(text: str) -> int:
    """Return a number of images, 1 or more; an option's type."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of images; give a whole number from 1, such as 20"
        )
    return int(text)


def own_data(shape: tuple[int, ...], data: object) -> str:
    """The network's own data set: ``data``, or the digits where it does not say and reads such."""
    if data in STILL or data in SEQUENCES:
        return str(data)
    digits = len(shape) == 3 and shape[0] == 1 and shape[1] == shape[2] and not shape[1] % 8
    return "digits" if digits else ""


def _labels(data: str, shape: tuple[int, ...], classes: int) -> np.ndarray | None:
    """The labels of a data set's test split, if the network tells as many classes."""
    found = load(data, shape[-1])
    return found.test_labels if len(found.classes) == classes else None


def of_sequences(sequences: Sequence[Frames]) -> Images:
    """Sequences by their names and labels, with the frames of all in a row."""
    return Images(
        pixels=np.concatenate([each.pixels for each in sequences]),
        names=tuple(each.name for each in sequences),
        labels=tuple(each.label for each in sequences),
    )


def noise(count: int, shape: tuple[int, ...]) -> Images:
    """Random pixels, the same each time."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)
    return Images(pixels=pixels, names=tuple(f"noise:{n}" for n in range(count)))


def one_image(source: str | None, shape: tuple[int, ...], classes: int, data: str) -> Images:
    """The image that ``source`` names, a number being one of ``data``, the network's own data set.

    Of a data set of sequences all frames of the one. Without ``source`` its first, or noise where
    it is not there, which is told on stderr.
    """
    if source is None and data:
        try:
            return one_image(f"{data}:0", shape, classes, data)
        except SpikeloomError as error:
            print(f"note: noise instead of an image: {error}", file=sys.stderr)
    if source is None:
        return noise(1, shape)
    if source.isdecimal() and not data:
        raise SpikeloomError(
            f"image {source}: the network names no data set of still images; give the image as "
            f"{KINDS}"
        )
    name = f"{data}:{source}" if source.isdecimal() else source
    if is_sequence(name) and not Path(name).exists():
        found = one_sequence(name, shape)
        return Images(pixels=found.pixels, names=found.names, sequence=found)
    pixels = read_image(name, shape)[None]
    origin, _, index = name.partition(":")
    labels = _labels(origin, shape, classes) if origin in STILL else None
    known = () if labels is None else (int(labels[int(index)]),)
    return Images(pixels=pixels, names=(name,), labels=known)


def files(sources: Sequence[str], shape: tuple[int, ...], classes: int) -> Images:
    """The images that ``sources`` name: as `one_image`, or folders of images.

    An image in a folder whose name is a number below ``classes`` has that label.
    """
    found = [_image(name, shape, classes) for source in sources for name in _inside(source)]
    labels = [one.labels for one in found]
    return Images(
        pixels=np.concatenate([one.pixels for one in found]),
        names=tuple(name for one in found for name in one.names),
        labels=tuple(label for (label,) in labels) if all(labels) else (),
    )


def _inside(source: str) -> list[str]:
    """The image, or those in the folder and its folders, by name."""
    path = Path(source)
    if not path.is_dir():
        return [source]
    found = [str(each) for each in sorted(path.rglob("*")) if each.suffix.lower() in SUFFIXES]
    if not found:
        raise SpikeloomError(f"folder {source!r} holds no image; images are {KINDS}")
    return found


def _image(name: str, shape: tuple[int, ...], classes: int) -> Images:
    one = one_image(name, shape, classes, "")
    folder = Path(name).parent.name
    if folder.isdecimal() and int(folder) < classes:
        return dataclasses.replace(one, labels=(int(folder),))
    return one


def first_images(count: int, shape: tuple[int, ...], classes: int, data: str) -> Images:
    """The first ``count`` test images or frames of ``data``, the network's own data set."""
    if not data:
        raise SpikeloomError(
            "--images: the network names no data set of still images; give one image by --image"
        )
    if data in SEQUENCES:
        pixels, names = first_frames(count, shape, data)
        return Images(pixels=pixels, names=tuple(names))
    images = test_split(data, shape)
    if not 1 <= count <= len(images):
        raise SpikeloomError(
            f"--images is {count}, wanted 1 to {len(images)}, the test images of {data}"
        )
    labels = _labels(data, shape, classes)
    return Images(
        pixels=images[:count],
        names=tuple(f"{data}:{n}" for n in range(count)),
        labels=() if labels is None else tuple(labels[:count].tolist()),
    )
