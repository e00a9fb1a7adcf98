"""What a data set is: arrays with a stated split, brought to a size."""

from dataclasses import dataclass, field, replace

import numpy as np

from hw.common.errors import SpikeloomError

LARGEST = 256  #: Pixels per side, so that a slip of the keyboard does not fill the memory.


def _none(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    """Return an array without images."""
    return np.zeros(shape, dtype)


@dataclass(frozen=True, kw_only=True, eq=False)
class DataSet:
    """Both splits of a data set, and a validation split where one was taken.

    Images are uint8 (n, C, H, W); event data are counts of events per step, clipped to 255,
    uint8 (n, T, C, H, W), C = polarity. Labels are int64 (n,), 0 to ``len(classes)`` - 1.
    Sequences are frames, uint8 (n, T, C, H, W), of which the first ``lengths`` count, int64 (n,);
    what follows them is the sequence once more from its first frame. Other data have no lengths.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]  #: Name of each label.
    split: str  #: Which images are in which split, in a sentence.
    factor: int = 1  #: Every pixel is repeated this often per side.
    validation_images: np.ndarray = field(default_factory=lambda: _none(0, 0, 0, 0))
    validation_labels: np.ndarray = field(default_factory=lambda: _none(0, dtype=np.int64))
    train_lengths: np.ndarray = field(default_factory=lambda: _none(0, dtype=np.int64))
    test_lengths: np.ndarray = field(default_factory=lambda: _none(0, dtype=np.int64))
    validation_lengths: np.ndarray = field(default_factory=lambda: _none(0, dtype=np.int64))

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one image: (C, H, W), or (T, C, H, W) of event data."""
        return self.train_images.shape[1:]

    @property
    def has_lengths(self) -> bool:
        """Return whether images are sequences of different lengths."""
        return len(self.train_lengths) > 0

    def __post_init__(self):
        for part in ("train", "validation", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            check_labels(labels, len(self.classes), f"{self.name}, {part} split")
            if len(images) != len(labels):
                raise SpikeloomError(
                    f"{self.name}, {part} split: {len(images)} images and {len(labels)} labels, "
                    "wanted one label per image; the files do not belong together"
                )


def check_labels(labels: np.ndarray, classes: int, where: str) -> None:
    """Refuse labels outside 0 to ``classes`` - 1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise SpikeloomError(
            f"{where}: label {labels[wrong[0]]} of image {wrong[0]}, wanted 0 to {classes - 1} "
            f"({wrong.size} such labels); the file is damaged or of another data set"
        )


def split_validation(data: DataSet, n: int, seed: int = 0) -> DataSet:
    """Return ``data`` with ``n`` training images moved to the validation split.

    Which ones: the first ``n`` of ``numpy.random.RandomState(seed).permutation(train)``, the same
    on every machine. Both parts keep the order of the training split.

    Parameters
    ----------
    data : DataSet
        Without validation images.
    n : int
        0 to one less than the training images.
    seed : int
        0 to 2**32 - 1.
    """
    total = len(data.train_labels)
    if len(data.validation_labels):
        raise SpikeloomError(
            f"{data.name}: has {len(data.validation_labels)} validation images already, wanted "
            "none; split the data set as it was loaded"
        )
    if not 0 <= n < total:
        raise SpikeloomError(
            f"{data.name}: {n} of {total} training images for validation, wanted 0 to {total - 1}; "
            "choose fewer"
        )
    if not 0 <= seed < 1 << 32:
        raise SpikeloomError(
            f"{data.name}: seed {seed} of the validation split, wanted 0 to {2**32 - 1}; "
            "choose another"
        )
    if n == 0:
        return data
    held = np.zeros(total, bool)
    held[np.random.RandomState(seed).permutation(total)[:n]] = True
    lengths = {}
    if data.has_lengths:
        lengths["train_lengths"] = data.train_lengths[~held]
        lengths["validation_lengths"] = data.train_lengths[held]
    return replace(
        data,
        **lengths,
        train_images=data.train_images[~held],
        train_labels=data.train_labels[~held],
        validation_images=data.train_images[held],
        validation_labels=data.train_labels[held],
        split=f"{data.split}; validation: first {n} of numpy RandomState({seed})"
        f".permutation({total}) of train",
    )


def check_size(name: str, size: int) -> None:
    """Refuse a side of less than 1 or more than LARGEST pixels."""
    if not 1 <= size <= LARGEST:
        raise SpikeloomError(
            f"{name}: image side is {size} pixels, wanted 1 to {LARGEST}; choose another size"
        )


def resize(images: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """Return square uint8 images (n, C, side, side) at ``size``, and how often pixels repeat.

    A multiple of the side: every pixel repeated. Larger otherwise: a border of zeros, the odd pixel
    below and on the right. Smaller: with k = ceil(side / size), a border of zeros up to k * size,
    then the mean of k x k pixels, halves rounded up.
    """
    side = images.shape[-1]
    if size % side == 0:
        factor = size // side
        if factor > 1:
            images = images.repeat(factor, axis=2).repeat(factor, axis=3)
        return images, factor
    k = -(-side // size)
    border = k * size - side
    before, after = border // 2, border - border // 2
    images = np.pad(images, ((0, 0), (0, 0), (before, after), (before, after)))
    if k > 1:
        n, c = images.shape[:2]
        blocks = images.reshape(n, c, size, k, size, k)
        total = blocks.sum(axis=(3, 5), dtype=np.uint32)  # at most 255 * LARGEST**2
        images = ((2 * total + k * k) // (2 * k * k)).astype(np.uint8)
    return images, 1
