"""The table of families: what it refuses, what it finds, and that reading needs no torch."""

import dataclasses
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
from sw.families.family import Family, Training
from sw.families.qsnn import QSNN
from sw.train import __main__

ROOT = Path(__file__).resolve().parents[2]
TRAINING = QSNN.training
assert TRAINING is not None


def other(**changes) -> Family:
    """Another family, as good as Q-SNN but for ``changes``."""
    fields = {"name": "other", "title": "Other", "training": None}
    return dataclasses.replace(QSNN, **fields | changes)


def trained(**changes) -> Training:
    assert TRAINING is not None
    return dataclasses.replace(TRAINING, **changes)


def test_the_real_families_are_in_it():
    assert [family.name for family in FAMILIES] == ["bestformer", "qsnn"]
    assert families.trained() == FAMILIES
    assert checked(FAMILIES) == FAMILIES
    assert checked([*FAMILIES, other()])[-1].name == "other"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (other(name="qsnn"), "qsnn: its name is that of an earlier family"),
        (other(title="Q-SNN"), "other: its title is that of an earlier family"),
        (other(read=None), "other: has no function 'read'; state one"),
        (other(recognises=None), "other: has no function 'recognises'"),
        (other(own_names="("), "other: its own_names are no pattern"),
        (other(own_modules=None), "other: its own_modules are no pattern"),
        (other(told={}), "other: has no function 'told'"),
        (other(settings=("steps", "colour")), "other: asks for the settings colour, which are"),
        (other(training=True), "other: its training is a bool; state a Training"),
        (other(training=trained(hooks="")), "other: is to be trained, and there is no module ''"),
        (other(training=trained(hooks="sw.families.other")), "no module 'sw.families.other' with"),
        (other(training=trained(hooks="sw.no.such")), "no module 'sw.no.such' with its hooks"),
        (other(training=trained(config=None)), "other: its training has no dataclass 'config'"),
        (other(training=trained(options=None)), "other: its training has no dataclass 'options'"),
        (
            other(training=trained(arguments=(argument("depth", "of it"),))),
            "other: has an option for 'depth', which QsnnConfig has not; leave it out",
        ),
        ("other", "entry 2 is a str, wanted a Family"),
    ],
)
def test_a_bad_entry_is_refused_by_name(entry, message):
    with pytest.raises(SpikeloomError) as error:
        checked((*FAMILIES, entry))
    assert str(error.value).startswith("Table of families: ")
    assert message in str(error.value)


def test_a_module_without_hooks_is_named(monkeypatch):
    learner = pytest.importorskip("sw.train.learner", exc_type=SpikeloomError)
    family = other(training=trained(hooks="sw.families.qsnn.keys"))
    checked([family])
    with pytest.raises(SpikeloomError, match=r"other: sw\.families\.qsnn\.keys holds no HOOKS"):
        learner.hooks(family)
    hooks = sys.modules["sw.families.learner"].Hooks(network=None, learner=None)
    monkeypatch.setattr("sw.families.qsnn.keys.HOOKS", hooks, raising=False)
    with pytest.raises(SpikeloomError, match=r"other: its hooks in .* have no network; state one"):
        learner.hooks(family)


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
