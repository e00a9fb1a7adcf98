"""Test images that a network is measured on."""

import contextlib
import pathlib
from dataclasses import dataclass

import numpy as np

from hw.common import files, npz
from hw.common.errors import SpikeloomError
from sw.api import FloatNetwork
from sw.data import load
from sw.data.catalogue import SOURCES

USED = frozenset(
    f"{split}{name}"
    for split in ("", "test_")
    for name in ("images", "labels", "index", "pred", "pred_alpha1")
)  #: Arrays of a stored split that are read.
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
    if net.size is not None and net.size[0] != net.size[1]:
        raise SpikeloomError(
            f"{net.name}: images of {name} are square, the network reads {net.size}; "
            "give --fixture instead"
        )
    if name in SOURCES and SOURCES[name].kind == "sequences":
        raise SpikeloomError(
            f"{net.name}: {name} has sequences, and only images are compared layer by layer; "
            "run_sequences of both networks tells what they answer"
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


def _stored(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Arrays of a stored split, those that are used, each as it must be."""
    cure = "store uint8 images (n, H, W), (n, C, H, W) or (n, T, C, H, W) and a label of each"
    try:
        io = npz.read(path, keep=lambda name: name in USED)
    except npz.ArchiveError as error:
        raise SpikeloomError(f"{path}: cannot be read ({error}); {cure}") from None
    first = "test_" if "test_images" in io else ""
    for name in (f"{first}images", f"{first}labels"):
        if name not in io:
            raise SpikeloomError(f"{path}: has no array {name!r}; {cure}")
    images = io[f"{first}images"]
    if images.dtype != np.uint8 or images.ndim not in (3, 4, 5) or not images.size:
        raise SpikeloomError(
            f"{path}: its {first}images are {images.dtype} {images.shape}, wanted some images of "
            f"uint8; {cure}"
        )
    for name in (f"{first}{part}" for part in ("labels", "pred", "pred_alpha1")):
        array = io.get(name, io[f"{first}labels"])
        if array.dtype.kind not in "iu" or array.shape != (len(images),):
            raise SpikeloomError(
                f"{path}: its {name} are {array.dtype} {array.shape}, wanted a whole number for "
                f"each of {len(images)} images; {cure}"
            )
    return io


def _shows(images: np.ndarray, index: np.ndarray | None, few: np.ndarray) -> bool:
    """Whether ``few`` are the images at ``index``."""
    if index is None or index.dtype.kind not in "iu" or index.shape != (len(few),):
        return False
    if not ((index >= 0) & (index < len(images))).all():
        return False
    found = images[index]
    return found.size == few.size and np.array_equal(found.reshape(few.shape), few)


def fixture(stem: pathlib.Path, net: FloatNetwork | None = None) -> Split:
    """Images, labels and predictions that belong to ``stem.io.npz``.

    Where it stores few of its test images, and ``net`` is given, the whole test split comes from
    the data set that ``stem.json`` names, if it is there and holds the stored images.
    """
    path = stem.with_name(stem.name + ".io.npz")
    if not path.is_file():
        raise SpikeloomError(f"{path}: no such file; give --fixture FOLDER/NAME")
    io = _stored(path)

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
        fields = files.read_json(side)
        name = fields.get("data") if isinstance(fields, dict) else None
        index, labels = io.get("test_index"), io.get("test_labels")
        with contextlib.suppress(SpikeloomError):  # not fetched: the few must do
            whole = data_split(net, str(name))
            same = labels is not None and np.array_equal(whole.labels, labels)
            if same and _shows(whole.images, index, few):
                return Split(
                    images=whole.images,
                    labels=whole.labels,
                    stored=stored("test_"),
                    calibration=whole.calibration,
                )
    return Split(images=few, labels=io["labels"], stored=stored(""), calibration=few)
