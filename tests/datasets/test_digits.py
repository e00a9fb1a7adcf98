"""The digits need scikit-learn, which holds them, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from hw.common.errors import SpikeloomError
from sw.data import __main__, load, load_digits

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Absent())
import sw
from sw.data import load

data = load("digits", 16)
got = sw.load("digits").lower().run(data.test_images[:20]).predictions
assert "torch" not in sys.modules
print((got == data.test_labels[:20]).sum())
"""


def test_digits_and_their_network_need_no_torch(tmp_path):
    pytest.importorskip("sklearn")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 18


def test_missing_scikit_learn_is_one_sentence_with_its_cure(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(SpikeloomError) as found:
        load("digits")
    assert str(found.value) == (
        "The digits come with scikit-learn, which is not installed: run pip install scikit-learn"
    )
    monkeypatch.setattr(__main__, "_is_present", lambda *_: False)
    assert __main__.main(["fetch", "digits"]) == 0
    assert "nothing to fetch; run pip install scikit-learn" in capsys.readouterr().out


def test_digits_are_the_same_as_ever():
    old, new = load_digits(16), load("digits", 16)
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        assert (getattr(old, name) == getattr(new, name)).all()
    assert (new.factor, new.shape, len(new.train_labels)) == (2, (1, 16, 16), 1437)
    assert load("digits").shape == (1, 8, 8)
    assert "RandomState(0)" in new.split
