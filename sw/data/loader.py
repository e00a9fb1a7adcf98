"""Any data set by name, from the cache or from a folder of the user's."""

import os
from pathlib import Path

from hw.common.errors import SpikeloomError
from sw.data import events
from sw.data.catalogue import Source
from sw.data.cifar import read_cifar
from sw.data.dataset import DataSet, check_size, resize
from sw.data.digits import SPLIT, load_digits
from sw.data.fetch import check, contents, cure, folders, need, source_of
from sw.data.idx import parse_idx
from sw.data.sequences import read_sequences


def _digits(source: Source, size: int) -> DataSet:
    """Return the digits at a size."""
    data = load_digits(size)
    return DataSet(
        name=source.name,
        train_images=data.train_images,
        train_labels=data.train_labels,
        test_images=data.test_images,
        test_labels=data.test_labels,
        classes=source.classes,
        split=SPLIT,
        factor=data.factor,
    )


def _images(source: Source, places: list[Path], data_dir: Path | None):
    """Return training images (n, C, H, W) and labels, test images and labels."""
    paths = [need(source, file, data_dir, places) for file in source.files]
    if source.kind == "cifar":
        check(paths[0], source.files[0], cure(source, data_dir))
        return read_cifar(paths[0], len(source.classes))
    found = []
    for path, file in zip(paths, source.files, strict=True):
        dimensions = 3 if "images" in file.name else 1
        array = parse_idx(contents(path, file, cure(source, data_dir)), dimensions, str(path))
        found.append(array[:, None] if dimensions == 3 else array.astype("int64"))
    return tuple(found)


def _sequences(source: Source, side: int, folder: Path | None) -> DataSet:
    """Return sequences; their frames have one size."""
    if side != source.shape[-1]:
        raise SpikeloomError(
            f"{source.name}: image side is {side} pixels, wanted {source.shape[-1]}; its frames "
            "are no pictures, leave the size out"
        )
    places = folders(source, folder)
    paths = [need(source, file, folder, places) for file in source.files]
    for path, file in zip(paths, source.files, strict=True):
        check(path, file, cure(source, folder))
    (train, *of_train), (test, *of_test) = read_sequences(source, paths)
    return DataSet(
        name=source.name,
        train_images=train,
        train_labels=of_train[0],
        train_lengths=of_train[1],
        test_images=test,
        test_labels=of_test[0],
        test_lengths=of_test[1],
        classes=source.classes,
        split=source.split,
    )


def load(
    name: str,
    size: int | None = None,
    data_dir: str | os.PathLike | None = None,
    *,
    steps: int | None = None,
    progress: events.Progress | None = None,
) -> DataSet:
    """Return a data set, its files checked against their published checksums.

    Parameters
    ----------
    name : str
        One of `sw.data.NAMES`.
    size : int, optional
        Pixels per side, by the rules of `sw.data.dataset.resize`; digits only by repetition, event
        data at most the sensor's, sequences not at all. Default: as published.
    data_dir : path, optional
        Folder that holds the files, or a folder of the data set's name with them; only read.
        Default: the cache, where ``python -m sw.data fetch NAME`` puts them.
    steps : int, optional
        Time steps T of event data, 10 if not given.
    progress : callable, optional
        Called with (name, recordings so far, all) while event data are read, for minutes.
    """
    source = source_of(name)
    folder = None if data_dir is None else Path(data_dir)
    if folder is not None and not folder.is_dir():
        raise SpikeloomError(
            f"{name}: --data-dir {folder} is no folder; name the one that holds the files"
        )
    if steps is not None and source.kind != "events":
        raise SpikeloomError(
            f"{name}: {steps} steps of a data set of still images, wanted none; only event data "
            "have steps"
        )
    side = source.shape[-1] if size is None else size
    check_size(name, side)
    if source.kind == "embedded":
        return _digits(source, side)
    if source.kind == "sequences":
        return _sequences(source, side, folder)
    places = folders(source, folder)
    split, factor = source.split, 1
    if source.kind == "events":
        steps = events.STEPS if steps is None else steps
        place = next((p for p in places if events.is_unpacked(source, p)), None)
        if place is None and folder is None:
            for file in source.files:
                need(source, file, folder, places)
            raise SpikeloomError(
                f"{name}: its archives are not unpacked in {places[0]}; "
                f"run python -m sw.data fetch {name}"
            )
        if place is None:
            place = next((p for p in places if p.is_dir()), places[0])
        found = events.read_events(source, place, steps, side, progress, keep=folder is None)
        split += f"; {steps} steps of equal time"
    else:
        train, train_labels, test, test_labels = _images(source, places, folder)
        train, factor = resize(train, side)
        found = train, train_labels, resize(test, side)[0], test_labels
    return DataSet(
        name=name,
        train_images=found[0],
        train_labels=found[1],
        test_images=found[2],
        test_labels=found[3],
        classes=source.classes,
        split=split,
        factor=factor,
    )
