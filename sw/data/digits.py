"""scikit-learn's handwritten digits: 1797 grey images of 8x8 pixels, enlarged by repetition."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hw.common.errors import SpikeloomError

SIDE = 8  #: Pixels per side before enlargement.
INSTALL = "run pip install scikit-learn"  #: What brings them; torch is not needed.
TRAIN = 1437  #: Images of the train split; the other 360 are the test split.
SPLIT = (
    "sklearn.datasets.load_digits; numpy RandomState(0).permutation(1797): "
    "first 1437 train, last 360 test"
)


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Both splits. Images are uint8 (n, 1, side, side), labels int64 (n,) 0 to 9."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    factor: int  #: Pixels repeated per side, side / 8.


def load_digits(side: int = 16) -> Digits:
    """Return the digits at ``side`` x ``side`` pixels of 0 to 255, each repeated side / 8 times.

    A pixel is min(16 * v, 255) of the published value v, which is 0 to 16.

    Parameters
    ----------
    side : int
        A multiple of 8, 8 or more.
    """
    if side < SIDE or side % SIDE:
        raise SpikeloomError(
            f"digits: image side is {side}, wanted a multiple of {SIDE}; "
            f"pixels are only repeated, so choose {max(1, round(side / SIDE)) * SIDE}"
        )
    try:
        from sklearn import datasets
    except ModuleNotFoundError as error:
        raise SpikeloomError(
            f"The digits come with scikit-learn, which is not installed: {INSTALL}"
        ) from error
    bunch: Any = datasets.load_digits()
    images = np.minimum(16 * bunch.images, 255).astype(np.uint8)  # (1797, 8, 8)
    factor = side // SIDE
    images = images.repeat(factor, axis=1).repeat(factor, axis=2)[:, None]
    labels = bunch.target.astype(np.int64)
    order = np.random.RandomState(0).permutation(len(labels))
    train, test = order[:TRAIN], order[TRAIN:]
    return Digits(
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
        factor=factor,
    )
