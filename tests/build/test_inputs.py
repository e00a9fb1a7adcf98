"""Every kind of input of a build: when it changes, the steps that it decides run again."""

import dataclasses
import importlib.metadata
import json

import pytest

import boards
from hw.build import build, sources
from hw.tools import yosys
from tests.synth.designs import echo

MODEL_STEPS = ["load", "lower", "compile"]


@pytest.fixture(scope="module")
def done(model, tmp_path_factory):
    """A build to the step 'elaborate', and a way to run it again: the steps that ran."""
    folder = tmp_path_factory.mktemp("build")

    def again(board="arty_a7", **options):
        ran = []
        tell = lambda e: ran.append(e.step) if e.state == "done" else None  # noqa: E731
        build(board, model, folder, last="elaborate", tell=tell, **{"design": echo, **options})
        return ran

    assert again() == [*MODEL_STEPS, "elaborate"]
    return again


def test_nothing_has_changed(done):
    assert done() == []


def test_side_file(done, model):
    side = model.with_suffix(".json")
    text = side.read_text(encoding="utf-8")
    side.write_text(json.dumps({**json.loads(text), "name": "other"}), encoding="utf-8")
    assert done()[:2] == ["load", "lower"]
    side.write_text(text, encoding="utf-8")
    assert "load" in done()


def test_weights(done, model):
    import safetensors.numpy

    data = model.read_bytes()
    state = safetensors.numpy.load(data)
    name = next(n for n in state if n.endswith("classifier.module.bias"))
    model.write_bytes(safetensors.numpy.save({**state, name: state[name] + 1}))
    assert done() == [*MODEL_STEPS, "elaborate"] or done() == []
    model.write_bytes(data)
    done()


@pytest.mark.parametrize(
    ("module", "first"),
    [
        ("sw.lower.quantise", "load"),
        ("sw.golden.ops", "load"),
        ("hw.common.files", "load"),
        ("sw.compiler.plan.layout", "load"),
        ("hw.core.lane", "elaborate"),
        ("boards.arty_a7", "elaborate"),
        ("hw.soc.uart", "elaborate"),
    ],
)
def test_source_files(done, module, first, monkeypatch):
    """As if its contents were others; of files that the step imports, however deep."""
    path = sources.ROOT.joinpath(*module.split(".")).with_suffix(".py")
    assert path.is_file()
    plain = sources._content
    changed = lambda p, stamp: "other" if p == path else plain(p, stamp)  # noqa: E731
    monkeypatch.setattr(sources, "_content", changed)
    assert done()[0] == first
    monkeypatch.undo()
    assert done()[0] == first


@pytest.mark.parametrize(
    ("package", "first"),
    [
        ("numpy", "load"),
        ("amaranth", "elaborate"),
        ("amaranth-boards", "elaborate"),
    ],
)
def test_versions(done, package, first, monkeypatch):
    plain = importlib.metadata.version
    other = lambda p: "0.0" if p == package else plain(p)  # noqa: E731
    monkeypatch.setattr(importlib.metadata, "version", other)
    assert done()[0] == first
    monkeypatch.undo()
    done()


def test_yosys(done, monkeypatch):
    monkeypatch.setattr(yosys, "version", lambda: "other")
    assert done() == ["elaborate"]
    monkeypatch.undo()
    done()


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"config": "col_depth=2048"}, "compile"),
        ({"fit": True}, None),
        ({"config": "rows=8,res_depth=64", "fit": True}, "compile"),
    ],
)
def test_options(done, options, first):
    ran = done(**options)
    assert (ran[0] if ran else None) == first
    done()


def test_board_fields(done):
    board = boards.get("arty_a7")
    other = dataclasses.replace(board, core_clock=40_000_000)
    assert done(other)[0] == "compile"
    done()


def test_design(done):
    def other(board, program):
        return echo(board, program)

    assert done(design=other) == ["elaborate"]
    done()
