"""The table of families: what it finds, and that reading needs no torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw import families
from sw.families import FAMILIES, checked
from sw.families.arguments import argument
from sw.families.bestformer import BESTFORMER
from sw.families.qsnn import QSNN
from sw.train import __main__
from tests.families.entries import other, trained

ROOT = Path(__file__).resolve().parents[2]


def test_the_real_families_are_in_it():
    assert [family.name for family in FAMILIES] == ["bestformer", "qsnn"]
    assert families.trained() == FAMILIES
    assert checked(FAMILIES) == FAMILIES
    assert checked([*FAMILIES, other()])[-1].name == "other"


def test_the_first_that_knows_the_keys_is_taken(monkeypatch):
    state = {"conv1.weight": np.zeros(1), "layer1.0.conv1.weight": np.zeros(1)}
    assert families.of_state(state) is QSNN
    assert families.of_state({"patch_embed.block0_conv.weight": np.zeros(1)}) is BESTFORMER
    assert families.of_state({"weight": np.zeros(1)}) is None
    first = other(recognises=lambda state: True)
    monkeypatch.setattr(families, "FAMILIES", (first, *FAMILIES))
    assert families.of_state(state) is first
    assert families.titled("Other") is first
    assert families.titled("NIR graph") is None


def test_lookups_that_find_nothing():
    with pytest.raises(SpikeloomError, match=r"x\.json: model is 'vit', wanted 'bestformer' or"):
        families.named("vit", "x.json")
    with pytest.raises(SpikeloomError, match="object is the configuration of no family"):
        families.of_config(object())  # type: ignore[arg-type]


def test_options_that_some_families_share(monkeypatch, capsys):
    shared = other(
        training=trained(arguments=(argument("stem", "kernel of it", type=int, choices=(3, 7)),))
    )
    monkeypatch.setattr(families, "FAMILIES", checked((*FAMILIES, shared)))
    with pytest.raises(SystemExit):
        __main__.run(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--model {bestformer,qsnn,other}" in text
    assert "model, only with --model qsnn or other: --stem {3,7}" in text
    with pytest.raises(SpikeloomError, match=r"--net given, which --model other does not have"):
        __main__.run(["--model", "other", "--net", "vgg"])


SCRIPT = """
import sys
sys.modules["torch"] = None  # as where it is not installed
import sw
for name in ("digits", "digits-qsnn"):
    q = sw.load(name).lower()
    print(name, len(q.layers))
"""


def test_reading_and_lowering_need_no_torch():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [f"{name} {len(sw.load(name).lower().layers)}" for name in ("digits", "digits-qsnn")]
    assert done.stdout.splitlines() == lines


def test_reading_fetches_nothing_and_trains_nothing():
    """What ``sw.load`` imports is what it needs: no torch, no data sets, no command line."""
    script = "import sys, sw; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    imported = set(done.stdout.split())
    assert "sw.families.qsnn.reader" in imported
    assert not {"torch", "sw.nn", "sw.train", "sw.data", "sw.families.qsnn.training"} & imported
