"""Test sequences of a data set: the frames of one, or of several in a row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw.common.errors import SpikeloomError
from sw.data import DataSet, load
from sw.data.catalogue import SOURCES

SEQUENCES = tuple(s.name for s in SOURCES.values() if s.kind == "sequences")
KIND = f"DATA:INDEX, such as {SEQUENCES[0]}:3"  #: How a sequence is named.


@dataclass(frozen=True, kw_only=True)
class Frames:
    """The frames of a test sequence, without those that only fill it up."""

    pixels: np.ndarray  #: uint8 (frames, C, H, W).
    name: str
    label: int

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each frame."""
        return tuple(f"{self.name}, frame {n}" for n in range(len(self.pixels)))

    def verdict(self, logits: Sequence[int] | np.ndarray) -> str:
        """The class of the frames' summed ``logits`` (classes,), and whether it is right."""
        found = int(np.argmax(logits))
        told = f"{self.name}: class {found} after {len(self.pixels)} frames, label {self.label}"
        return f"{told}: {'right' if found == self.label else 'WRONG'}"


def is_sequence(source: str) -> bool:
    """Return whether ``source`` names a test sequence."""
    return source.partition(":")[0] in SEQUENCES and ":" in source


def _data(name: str, shape: tuple[int, ...]) -> DataSet:
    """The data set, if its frames have the shape that the network reads."""
    data = load(name)
    if data.shape[1:] != tuple(shape):
        raise SpikeloomError(
            f"frames of {name} have shape {list(data.shape[1:])}, but the network reads "
            f"{list(shape)}; choose the network's own data set"
        )
    return data


def _frames(data: DataSet, n: int) -> Frames:
    pixels = data.test_images[n, : data.test_lengths[n]]
    return Frames(pixels=pixels, name=f"{data.name}:{n}", label=int(data.test_labels[n]))


def one_sequence(source: str, shape: tuple[int, ...]) -> Frames:
    """The test sequence that ``source`` names, as `KIND`."""
    name, _, index = source.partition(":")
    data = _data(name, shape)
    if not index.isdecimal() or int(index) >= len(data.test_labels):
        raise SpikeloomError(
            f"sequence {source!r}: the index must be 0 to {len(data.test_labels) - 1}"
        )
    return _frames(data, int(index))


def first_sequences(count: int, shape: tuple[int, ...], name: str) -> list[Frames]:
    """The first ``count`` test sequences of a data set."""
    data = _data(name, shape)
    total = len(data.test_labels)
    if not 1 <= count <= total:
        raise SpikeloomError(
            f"--images is {count}, wanted 1 to {total}, the test sequences of {name}"
        )
    return [_frames(data, n) for n in range(count)]


def first_frames(count: int, shape: tuple[int, ...], name: str) -> tuple[np.ndarray, list[str]]:
    """The first ``count`` frames of the test sequences in a row, and their names."""
    data = _data(name, shape)
    most = int(data.test_lengths.sum())
    if not 1 <= count <= most:
        raise SpikeloomError(f"--images is {count}, wanted 1 to {most}, the test frames of {name}")
    few = [_frames(data, n) for n in range(min(count, len(data.test_labels)))]
    names = [name for frames in few for name in frames.names]
    return np.concatenate([frames.pixels for frames in few])[:count], names[:count]
