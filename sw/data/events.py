"""Event data through the package tonic: frames of counts per step."""

import contextlib
import importlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hw.common import files
from hw.common.errors import SpikeloomError
from sw.data.archive import place, unpack
from sw.data.catalogue import Source
from sw.data.store import CURE, disk_errors, write

STEPS = 10  #: T where none is asked for.
MOST_STEPS = 1000
PER_CLASS = 1000  #: Recordings of CIFAR10-DVS.
TRAIN_PER_CLASS = 900
UNPACKED = ".unpacked"  #: Names the archives whose contents lie beside it.

#: Called with what is read, recordings so far and all of them.
Progress = Callable[[str, int, int], None]


def _tonic() -> Any:
    """Return the package tonic; SpikeloomError where it is missing."""
    try:
        return importlib.import_module("tonic")
    except ModuleNotFoundError as error:
        raise SpikeloomError(
            "Event data are read through the package tonic, which is not installed: "
            "run pip install 'tonic>=1.7,<2'"
        ) from error


def is_unpacked(source: Source, folder: Path) -> bool:
    """Return whether all archives of ``source`` are unpacked in ``folder``, by our own note."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        told = (folder / UNPACKED).read_text(encoding="utf-8")
        return told.split() == [f.digest for f in source.files]
    return False


def unpack_all(source: Source, folder: Path) -> None:
    """Unpack the checked archives as tonic wants them; also archives inside."""
    if is_unpacked(source, folder):
        return
    work = folder / ".unpack.part"
    for file in source.files:
        unpack(folder / file.name, work)
        with disk_errors(folder):
            inner = sorted(work.glob("*.zip"))
            for i, path in enumerate(inner):
                unpack(path, folder / f".unpack{i}.part")
                path.unlink()
                place(folder / f".unpack{i}.part", folder)
            place(work, folder)
    write(folder / UNPACKED, "\n".join(f.digest for f in source.files).encode())


def frames(
    events: np.ndarray, steps: int, size: int, sensor: Sequence[int], where: str
) -> np.ndarray:
    """Return counts of events, clipped to 255, of equal spans of time.

    Parameters
    ----------
    events : ndarray
        Structured, with fields x, y (pixels), t (any unit) and p (0 or 1).
    steps : int
        T; event at time t is in step (t - first) * T // (last - first + 1).
    size : int
        Pixel (y, x) of the sensor counts for pixel (y * size // H, x * size // W).
    sensor : sequence
        (C, H, W), C = 2 polarities.
    where : str
        Names the recording in messages.

    Returns
    -------
    ndarray
        uint8 (T, 2, size, size).
    """
    channels, height, width = sensor
    x, y, t, p = (events[name].astype(np.int64) for name in "xytp")
    if not len(t):
        return np.zeros((steps, channels, size, size), np.uint8)
    for name, values, end in (("x", x, width), ("y", y, height), ("p", p, channels)):
        if values.min() < 0 or values.max() >= end:
            raise SpikeloomError(
                f"{where}: an event has {name} from {values.min()} to {values.max()}, wanted 0 to "
                f"{end - 1}; the recording is damaged, fetch the data set again"
            )
    first = t.min()
    step = (t - first) * steps // (t.max() - first + 1)
    cell = ((step * channels + p) * size + y * size // height) * size + x * size // width
    counts = np.bincount(cell, minlength=steps * channels * size * size)
    return np.minimum(counts, 255).astype(np.uint8).reshape(steps, channels, size, size)


def _natural(path: str) -> list[str | int]:
    """Return a key that sorts the numbers in a path by their value."""
    return [int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", path)]


def _open(source: Source, folder: Path, **options: Any) -> Any:
    """Return the tonic data set that lies in ``folder``; it may read but not fetch."""
    kind = getattr(_tonic().datasets, source.tonic)

    def refuse(_self) -> None:
        raise SpikeloomError(
            f"{source.name}: recordings or archives are missing in {folder}, wanted both, as tonic "
            f"lays them out; run python -m sw.data fetch {source.name}"
        )

    closed = type(kind.__name__, (kind,), {"download": refuse})  # tonic's folder has this name
    return closed(save_to=str(folder.parent), **options)


def _read(
    recordings: Any,
    order: Sequence[int],
    source: Source,
    steps: int,
    size: int,
    progress: Progress | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return frames uint8 (n, T, C, size, size) and labels int64 (n,) of some recordings."""
    images = np.zeros((len(order), steps, source.shape[0], size, size), np.uint8)
    labels = np.zeros(len(order), np.int64)
    for n, i in enumerate(order):
        where = str(recordings.data[i])
        try:
            events, label = recordings[i]
        except ImportError as error:
            raise SpikeloomError(
                f"{source.name}: reading {where} needs the package {error.name}, which is not "
                f"installed: run pip install {error.name}"
            ) from error
        except Exception as error:  # readers of recordings raise many kinds on damaged files
            raise SpikeloomError(
                f"{where}: cannot be read ({type(error).__name__}: {error}); the recording is "
                "damaged, fetch the data set again"
            ) from error
        images[n] = frames(events, steps, size, source.shape, where)
        labels[n] = label
        if progress:
            progress(source.name, n + 1, len(order))
    return images, labels


def _orders(recordings: Any, source: Source) -> list[list[int]]:
    """Return the recordings of CIFAR10-DVS in the training and in the test split."""
    order = sorted(range(len(recordings)), key=lambda i: _natural(str(recordings.data[i])))
    seen: Counter[int] = Counter()
    train, test = [], []
    for i in order:
        label = int(recordings.targets[i])
        (train if seen[label] < TRAIN_PER_CLASS else test).append(i)
        seen[label] += 1
    if sorted(seen) != list(range(len(source.classes))) or set(seen.values()) != {PER_CLASS}:
        raise SpikeloomError(
            f"{source.name}: {sum(seen.values())} recordings of {len(seen)} classes, wanted "
            f"{PER_CLASS} of each of {len(source.classes)}; fetch the data set again"
        )
    return [train, test]


def read_events(
    source: Source,
    folder: Path,
    steps: int,
    size: int,
    progress: Progress | None = None,
    keep: bool = True,
) -> tuple[np.ndarray, ...]:
    """Return training frames and labels, test frames and labels.

    Parameters
    ----------
    source : Source
        Of the catalogue.
    folder : Path
        Where tonic keeps it, named as tonic's class.
    steps, size : int
        T, and pixels per side, at most the sensor's.
    progress : callable, optional
        Reading takes minutes.
    keep : bool
        Keep the frames beside the recordings, and take them from there the next time.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise SpikeloomError(
            f"{source.name}: {steps} steps, wanted 1 to {MOST_STEPS}; choose another number"
        )
    if size > source.shape[1]:
        raise SpikeloomError(
            f"{source.name}: image side is {size} pixels, wanted at most the sensor's "
            f"{source.shape[1]}; events are not enlarged"
        )
    kept = folder / f"frames-{steps}x{size}.npz"
    names = ("train_images", "train_labels", "test_images", "test_labels")
    if keep and kept.is_file():
        with contextlib.suppress(Exception), np.load(kept, allow_pickle=False) as archive:
            return tuple(archive[name] for name in names)  # damaged ones are made anew
    if source.tonic == "CIFAR10DVS":
        recordings = _open(source, folder)
        parts = [(recordings, order) for order in _orders(recordings, source)]
    else:
        parts = []
        for train in (True, False):
            recordings = _open(source, folder, train=train)
            order = sorted(range(len(recordings)), key=lambda i: _natural(str(recordings.data[i])))
            parts.append((recordings, order))
    for (_, order), part, n in zip(
        parts, ("train", "test"), (source.train, source.test), strict=True
    ):
        if source.tonic != "CIFAR10DVS" and len(order) != n:
            raise SpikeloomError(
                f"{source.name}, {part} split: {len(order)} recordings in {folder}, wanted {n}; "
                f"delete {UNPACKED} there and run python -m sw.data fetch {source.name}"
            )
    found = [
        array
        for recordings, order in parts
        for array in _read(recordings, order, source, steps, size, progress)
    ]
    if keep:
        with files.whole(kept, CURE) as part, open(part, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **dict(zip(names, found, strict=True)))
    return tuple(found)
