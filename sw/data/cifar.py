"""The binary version of CIFAR-10 and CIFAR-100: plain records, no pickles."""

from pathlib import Path

import numpy as np

from hw.common.errors import SpikeloomError
from sw.data.archive import read_members
from sw.data.dataset import check_labels

SIDE = 32
PIXELS = 3 * SIDE * SIDE
PER_FILE = 10_000


def parse_records(raw: bytes, label_bytes: int, classes: int, where: str):
    """Return images, uint8 (n, 3, 32, 32), and labels, int64 (n,) from 0 on, of records.

    A record is ``label_bytes`` labels, of which the last counts (CIFAR-100: coarse, fine), then
    the red, green and blue planes, row by row.
    """
    record = label_bytes + PIXELS
    if not raw or len(raw) % record:
        raise SpikeloomError(
            f"{where}: {len(raw)} bytes, wanted a multiple of {record}, one record; the file is "
            "cut short or another kind of file"
        )
    rows = np.frombuffer(raw, np.uint8).reshape(-1, record)
    labels = rows[:, label_bytes - 1].astype(np.int64)
    check_labels(labels, classes, where)
    return rows[:, label_bytes:].reshape(-1, 3, SIDE, SIDE).copy(), labels


def layout(classes: int) -> tuple[int, dict[str, int], dict[str, int]]:
    """Return label bytes a record, and members with bytes of the training and the test split."""
    if classes == 10:
        folder, size = "cifar-10-batches-bin", PER_FILE * (1 + PIXELS)
        train = {f"{folder}/data_batch_{i}.bin": size for i in range(1, 6)}
        return 1, train, {f"{folder}/test_batch.bin": size}
    folder, size = "cifar-100-binary", PER_FILE * (2 + PIXELS)
    return 2, {f"{folder}/train.bin": 5 * size}, {f"{folder}/test.bin": size}


def read_cifar(path: Path, classes: int) -> tuple[np.ndarray, ...]:
    """Return training images and labels, test images and labels of the archive ``path``."""
    label_bytes, *splits = layout(classes)
    raw = read_members(path, {k: v for split in splits for k, v in split.items()})
    found = []
    for split in splits:
        parts = [
            parse_records(raw.pop(name), label_bytes, classes, f"{path}, {name}") for name in split
        ]
        for arrays in zip(*parts, strict=True):
            found.append(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))
    return tuple(found)
