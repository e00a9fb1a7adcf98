"""Test images that a network is measured on."""

import contextlib
import json
import pathlib
from dataclasses import dataclass

import numpy as np

from hw.common.errors import SpikeloomError
from sw.graph import FloatNetwork

CALIBRATION_IMAGES = 512  #: Training images on which alpha is measured, the first ones.


@dataclass(frozen=True, kw_only=True)
class Split:
    """Test images uint8, labels (B,), predictions stored with them, images to calibrate on."""

    images: np.ndarray
    labels: np.ndarray
    stored: np.ndarray | None
    calibration: np.ndarray


def data_split(net: FloatNetwork, name: str) -> Split:
    """Test split of a data set of ``sw.data`` at the network's size."""
    from sw.data import load

    if net.size is not None and net.size[0] != net.size[1]:
        raise SpikeloomError(
            f"{net.name}: images of {name} are square, the network reads {net.size}; "
            "give --fixture instead"
        )
    data = load(name, net.size[0] if net.size else None)
    if data.shape[-3] != net.channels:
        raise SpikeloomError(
            f"{net.name}: images of {name} have {data.shape[-3]} channels, the network reads "
            f"{net.channels}; choose another data set"
        )
    few = data.train_images[:CALIBRATION_IMAGES]
    return Split(images=data.test_images, labels=data.test_labels, stored=None, calibration=few)


def digits_split(net: FloatNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Test images (360, 1, side, side) and labels of the digits at the network's size."""
    if net.size is None:
        raise SpikeloomError(f"{net.name}: its image size is not known; give --fixture instead")
    split = data_split(net, "digits")
    return split.images, split.labels


def fixture_split(stem: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Test images and labels stored in ``stem.io.npz``, or those few that are."""
    split = fixture(stem)
    return split.images, split.labels


def fixture(stem: pathlib.Path, net: FloatNetwork | None = None) -> Split:
    """Images, labels and predictions that belong to ``stem.io.npz``.

    Where it stores few of its test images, and ``net`` is given, the whole test split comes from
    the data set that ``stem.json`` names, if it is there and holds the stored images.
    """
    path = stem.with_name(stem.name + ".io.npz")
    if not path.is_file():
        raise SpikeloomError(f"{path}: no such file; give --fixture FOLDER/NAME")
    with np.load(path, allow_pickle=False) as archive:
        io = {key: archive[key] for key in archive.files}

    def stored(prefix: str) -> np.ndarray | None:
        return io.get(f"{prefix}pred_alpha1", io.get(f"{prefix}pred"))

    if "test_images" in io:
        images = io["test_images"]
        return Split(
            images=images, labels=io["test_labels"], stored=stored("test_"), calibration=images
        )
    few = io["images"]
    side = stem.with_name(stem.name + ".json")
    if net is not None and side.is_file():
        name = json.loads(side.read_text(encoding="utf-8")).get("data", "")
        with contextlib.suppress(SpikeloomError):  # not fetched: the few must do
            whole = data_split(net, name)
            same = np.array_equal(whole.images[io["test_index"]].reshape(few.shape), few)
            if same and np.array_equal(whole.labels, io["test_labels"]):
                return Split(
                    images=whole.images,
                    labels=whole.labels,
                    stored=stored("test_"),
                    calibration=whole.calibration,
                )
    return Split(images=few, labels=io["labels"], stored=stored(""), calibration=few)
