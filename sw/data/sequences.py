"""Sequences of frames from .ts files, quantised to bytes."""

from pathlib import Path

import numpy as np

from hw.common.errors import SpikeloomError
from sw.data.catalogue import Source

LEVELS = 255  #: Of a byte above 0.


def parse_ts(text: str, channels: int, classes: int, where: str):
    """Return sequences, float64 (frames, channels) each, and their labels, int64 (n,) from 0 on.

    A line holds a sequence: values of a channel between commas, channels and the label, 1 to
    ``classes``, between colons. Lines that begin with # or @ tell about the file.
    """
    sequences, labels = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line[0] in "#@":
            continue
        *parts, label = line.split(":")
        try:
            rows = [[float(value) for value in part.split(",")] for part in parts]
            sequence = np.array(rows).T
            labels.append(int(label) - 1)
        except ValueError as error:
            raise SpikeloomError(
                f"{where}, line {number}: no sequence ({error}); the file is damaged"
            ) from error
        if len(parts) != channels or not 0 <= labels[-1] < classes:
            raise SpikeloomError(
                f"{where}, line {number}: {len(parts)} channels and label {label.strip()}, wanted "
                f"{channels} and 1 to {classes}; the file is of another data set"
            )
        sequences.append(sequence)
    return sequences, np.array(labels, np.int64)


def span(sequences: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest value of each channel."""
    frames = np.concatenate(sequences)
    return frames.min(axis=0), frames.max(axis=0)


def quantise(sequence: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return bytes (frames, C): 0 for ``low``, 255 for ``high``, what lies outside clipped.

    Between them to the nearest of 255 equal steps, ties to even.
    """
    scaled = (sequence - low) / (high - low) * LEVELS
    return np.clip(np.rint(scaled), 0, LEVELS).astype(np.uint8)


def repeated(sequence: np.ndarray, frames: int) -> np.ndarray:
    """Return ``frames`` frames of a sequence that begins anew where it ends."""
    return sequence[np.arange(frames) % len(sequence)]


def read_sequences(source: Source, paths: list[Path]) -> list[tuple[np.ndarray, ...]]:
    """Return (images, labels, lengths) of the training and of the test split.

    Images are uint8 (n, T, C, 1, 1), T = ``source.frames``; bytes span what each channel has in
    the training split.
    """
    channels, count = source.shape[0], len(source.classes)
    parts = [
        parse_ts(path.read_text(encoding="utf-8"), channels, count, str(path)) for path in paths
    ]
    low, high = span(parts[0][0])
    found = []
    for sequences, labels in parts:
        rows = [repeated(quantise(s, low, high), source.frames) for s in sequences]
        lengths = np.array([len(s) for s in sequences], np.int64)
        found.append((np.stack(rows)[..., None, None], labels, lengths))
    return found
