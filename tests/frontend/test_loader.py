"""``sw.load``: its options, the shipped networks, and what it needs."""

import pathlib
import subprocess
import sys

import pytest

import sw
from tests.frontend.checkpoints import NORM, refuse, write
from tests.frontend.states import make_state

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_shipped_network_by_name():
    net = sw.load("digits")
    q = net.lower()
    assert (q.height, q.width, q.classes) == (16, 16, 10)


def test_unknown_normalisation_is_asked_for(tmp_path):
    path = write(tmp_path, make_state(channels=3))
    message = refuse(path, "neither the file nor a JSON", mean=None, std=None)
    for part in (
        "mean= (of pixels scaled to 0..1; mean=0, std=1 if none",
        "CIFAR-10 mean=(0.49",
        "ImageNet mean=",
        "std= (",
    ):
        assert part in message
    assert "mean= (" not in refuse(path, "give std= ", std=None)


def test_options_win_over_the_json_file(tmp_path):
    side = {"mean": 0.5, "std": 0.2, "attention": "kv", "name": "from-json"}
    path = write(tmp_path, make_state(), side=side)
    assert sw.load(path).meta["attention"] == "kv"
    net = sw.load(path, mean=0.1, attention="qk", name="mine")
    assert (net.mean, net.std, net.meta["attention"], net.name) == ((0.1,), (0.2,), "qk", "mine")


def test_no_torch_is_needed_but_for_float_runs(tmp_path):
    """Load, lower and integer runs with torch blocked; the float run names the cure."""
    path = write(tmp_path, make_state(), "net.safetensors", NORM)
    code = f"""
import sys
sys.modules["torch"] = None
import numpy as np, sw
from hw.common.errors import SpikeloomError
net = sw.load({str(path)!r})
images = np.zeros((2, 8, 8), dtype=np.uint8)
print(net.lower(images).run(images).logits.shape)
try:
    net.run(images)
except SpikeloomError as error:
    print(error)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "(2, 5)" in done.stdout
    assert "pip install -e '.[torch]'" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 4}, "tells heads 2, not 4"),
        ({"steps": 2}, "tells steps 3, not 2"),
        ({"attention": "vq"}, "attention must be qk or kv"),
        ({"similarity": "or"}, "similarity must be and or xnor"),
        ({"attention": "kv", "similarity": "xnor"}, "xnor similarity needs"),
        ({"mean": (0.1, 0.2)}, "mean has 2 values"),
        ({"std": 0.0}, "std must be above 0"),
        ({"mean": float("nan")}, "mean must be a finite number"),
        ({"image_size": (3, 4, 5)}, "image size must be"),
        ({"heads": 0}, "heads must be a whole number"),
    ],
)
def test_wrong_options(tmp_path, options, message):
    refuse(write(tmp_path, make_state()), message, **options)
