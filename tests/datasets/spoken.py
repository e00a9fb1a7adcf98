"""A vowels of seven sequences: two channels, three classes, two to five frames."""

import dataclasses
import hashlib
import io
import subprocess
import zipfile

import numpy as np

from sw.data.catalogue import SOURCES, File, Wheel

FOLDER = "data/Small/"
LENGTHS = {"TRAIN": (3, 5, 2, 4), "TEST": (2, 5, 3)}


def sequences(part):
    """Sequences (frames, 2) of a part, to two decimals."""
    rng = np.random.default_rng(len(part))
    return [rng.normal(size=(n, 2)).round(2) for n in LENGTHS[part]]


def text(part):
    """The .ts file of a part; labels go round the classes."""
    lines = ["# about it", "@dimensions 2", "@data"]
    for n, sequence in enumerate(sequences(part)):
        channels = [",".join(map(str, channel)) for channel in sequence.T.tolist()]
        lines.append(":".join([*channels, str(n % 3 + 1)]))
    return "\n".join(lines) + "\n"


TEXTS = {f"Small_{part}.ts": text(part).encode() for part in LENGTHS}


def wheel(members):
    """Bytes of a wheel with members by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


WHEEL = wheel({"other": b"no"} | {FOLDER + name: data for name, data in TEXTS.items()})
SOURCE = dataclasses.replace(
    SOURCES["vowels"],
    shape=(2, 1, 1),
    frames=5,
    train=4,
    test=3,
    classes=("a", "b", "c"),
    files=tuple(
        File(name=name, digest=hashlib.md5(data).hexdigest(), size=len(data))
        for name, data in TEXTS.items()
    ),
    wheel=Wheel(
        package="small",
        version="1",
        file=File(name="small-1.whl", digest=hashlib.sha512(WHEEL).hexdigest(), size=len(WHEEL)),
        folder=FOLDER,
    ),
)


class Pip:
    """Stands in for pip: puts ``brings`` into the folder that it is told, or fails."""

    def __init__(self):
        self.asked, self.brings, self.fails = [], {"small-1.whl": WHEEL}, ""

    def __call__(self, command, **_):
        self.asked.append(command)
        folder = command[command.index("--dest") + 1]
        for name, data in self.brings.items():
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
        return subprocess.CompletedProcess(command, bool(self.fails), "", self.fails)
