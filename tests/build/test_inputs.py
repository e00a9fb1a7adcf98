"""Every kind of input of a build: when it changes, the steps that it decides run again."""

import dataclasses
import importlib.metadata
import json
import shutil

import pytest

import boards
from hw.arch import Config, SpikeloomError
from hw.build import build, default_folder, sources
from hw.tools import yosys
from sw.frontend.loader import SHIPPED
from tests.synth.designs import echo

MODEL_STEPS = ["load", "lower", "compile"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of one's own, with its side file."""
    folder = tmp_path_factory.mktemp("model")
    for suffix in (".safetensors", ".json"):
        shutil.copy(SHIPPED / f"mnist-tiny{suffix}", folder / f"net{suffix}")
    return folder / "net.safetensors"


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


def test_steps_follow_imports_and_no_list():
    found = {p.relative_to(sources.ROOT).as_posix() for p in sources.sources("hw.soc.top")}
    assert {"hw/core/core.py", "hw/core/lane.py", "hw/arch/isa.py", "hw/__init__.py"} <= found
    inside = {p.relative_to(sources.ROOT).as_posix() for p in sources.sources("sw.golden")}
    assert "sw/golden/compiled.py" in inside, "an import inside a function counts"
    assert sources.sources("numpy", "no.such.module") == []


def test_only_our_packages_are_followed(tmp_path, monkeypatch):
    """Where we are installed, others lie beside us."""
    for name in ("hw", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("import other\n", encoding="utf-8")
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    assert sources.sources("hw") == [tmp_path / "hw" / "__init__.py"]
    assert sources.sources("other") == []


def test_config_reaches_the_core_and_the_report(model, tmp_path):
    build("arty_a7", model, tmp_path / "o", last="compile", config="col_depth=2048")
    from sw.compiler import Program

    want = dataclasses.replace(boards.get("arty_a7").config, col_depth=2048)
    assert Program.load(tmp_path / "o" / "program.npz").config == want
    with pytest.raises(SpikeloomError, match="has no field 'depth'; give NAME=VALUE"):
        build("arty_a7", model, tmp_path / "p", config="depth=1")


def test_fit_makes_memories_deeper(model, tmp_path):
    small = dataclasses.replace(boards.get("arty_a7"), config=Config(col_depth=64))
    with pytest.raises(SpikeloomError, match="col_depth >= "):
        build(small, model, tmp_path / "a", last="compile")
    build(small, model, tmp_path / "a", last="compile", fit=True)


def test_default_folders_hold_board_and_model(tmp_path):
    assert default_folder("arty_a7", "digits").as_posix() == "build/arty_a7/digits"
    assert default_folder("ulx3s", "a/b/x.weights.npz").as_posix() == "build/ulx3s/x"
    assert default_folder("ulx3s", tmp_path / "x.pth.tar").as_posix() == "build/ulx3s/x"


def test_another_model_is_refused_in_a_folder(model, tmp_path):
    build("arty_a7", model, tmp_path / "o", last="load")
    before = (tmp_path / "o" / "model.json").read_bytes()
    with pytest.raises(SpikeloomError, match=r"holds the build of model .*net\.safetensors, board"):
        build("arty_a7", "digits", tmp_path / "o", last="load")
    with pytest.raises(SpikeloomError, match="holds the build of"):
        build("ulx3s", model, tmp_path / "o", last="load")
    assert (tmp_path / "o" / "model.json").read_bytes() == before
