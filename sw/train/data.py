"""The data set of a run, as its options ask for it, and its augmentation."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from hw.common.errors import SpikeloomError
from sw.data import NAMES, DataSet, load, split_validation
from sw.data.augment import augment, augment_events, augment_photographs
from sw.data.catalogue import SOURCES
from sw.families.options import TrainOptions


def training_data(options: TrainOptions, data_dir: Path | None) -> DataSet:
    """Return the images and labels of a run, its validation split apart; see `sw.data.load`."""
    options.check("data", options.data in NAMES, f"one of {', '.join(NAMES)}")
    c = options.config
    if c.height != c.width:
        raise SpikeloomError(
            f"{options.data}: its images are square, the configuration's are "
            f"{c.height}x{c.width}; change the sizes"
        )
    data = load(options.data, c.height, data_dir, steps=_steps(options))
    image = (c.channels, c.height, c.width)
    if data.shape[-3:] != image or len(data.classes) != c.classes:
        raise SpikeloomError(
            f"{options.data}: the configuration has images of {c.channels}x{c.height}x{c.width} "
            f"in {c.classes} classes, wanted {'x'.join(map(str, data.shape[-3:]))} in "
            f"{len(data.classes)} classes; change them"
        )
    if data.has_lengths and c.steps != data.shape[0]:
        raise SpikeloomError(
            f"{options.data}: its longest sequence has {data.shape[0]} frames, the configuration "
            f"{c.steps} steps; leave --steps out"
        )
    if options.images:
        if options.images > len(data.train_labels):
            raise SpikeloomError(
                f"{options.data}: --images is {options.images}, there are "
                f"{len(data.train_labels)} to train on; choose fewer"
            )
        n = options.images
        data = replace(
            data,
            train_images=data.train_images[:n],
            train_labels=data.train_labels[:n],
            train_lengths=data.train_lengths[:n],
            split=f"{data.split}; of train the first {n}",
        )
    n = len(data.train_labels)
    held = options.held_out(n)
    if n - held < options.batch:
        raise SpikeloomError(
            f"Training: {n} images less {held} for validation do not fill a batch "
            f"of {options.batch}; lower --validation or --batch"
        )
    return split_validation(data, held)


def _steps(options: TrainOptions) -> int | None:
    """Frames per recording of event data."""
    return options.config.steps if SOURCES[options.data].kind == "events" else None


def augmentation(options: TrainOptions, data: DataSet) -> Callable[[Tensor], Tensor]:
    """Return the augmentation that suits the data set, of uint8 images (B, ...)."""
    strength = options.augment
    if len(data.shape) == 4:
        return lambda images: augment_events(images, strength)
    if data.name in ("digits", "mnist"):
        return lambda images: augment(images, data.factor, strength)
    return lambda images: augment_photographs(images, strength)
