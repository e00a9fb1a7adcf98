"""What a run leaves to look at."""

import sys

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.options import BestformerOptions
from sw.train import __main__, log
from sw.train.loop import train

PNG = b"\x89PNG\r\n\x1a\n"
TINY = BestformerConfig(height=8, width=8, embed_dim=8, depth=1, heads=2, mlp_ratio=1, steps=1)
OPTIONS = BestformerOptions(config=TINY, epochs=2, warmup=1, batch=32, validation=10, images=74)
HISTORY = [
    {"epoch": 1, "loss": 2.0, "train": 0.25, "validation": None, "lr": 0.1},
    {"epoch": 2, "loss": 1.0, "train": 0.5, "validation": 0.75, "lr": 0.05},
]


def scalars(folder):
    """Logged values: name to (epoch, value) pairs."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder))
    found.Reload()
    names = found.Tags()["scalars"]
    return {n: [(e.step, round(e.value, 5)) for e in found.Scalars(n)] for n in names}


def test_log_of_a_run(tmp_path):
    folder = tmp_path / "new" / "log"
    result = train(OPTIONS, tmp_path / "a.safetensors", log=folder)
    assert (folder / log.CURVES).read_bytes().startswith(PNG)
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1
    assert result is not None
    history = result.notes["history"]
    found = scalars(folder)
    assert set(found) == {"loss", "train", "validation", "lr"}
    for name, values in found.items():
        assert values == [(h["epoch"], pytest.approx(h[name], abs=1e-5)) for h in history]


def test_log_of_a_resumed_run_and_of_its_teacher(tmp_path):
    import dataclasses

    options, out = dataclasses.replace(OPTIONS, teacher="train"), tmp_path / "a.safetensors"
    folder, steps = tmp_path / "log", []

    def pause():
        steps.append(0)
        return len(steps) == 4 + 3  # in the student's second epoch

    assert train(options, out, log=folder, pause=pause) is None
    assert train(options, out, log=folder, pause=pause, resume=True) is not None
    assert [epoch for epoch, _ in scalars(folder)["loss"]] == [1, 2]
    assert [epoch for epoch, _ in scalars(folder / "teacher")["loss"]] == [1, 2]
    assert (folder / "teacher" / log.CURVES).read_bytes().startswith(PNG)


def test_what_an_interrupted_run_logged_of_later_epochs_is_hidden(tmp_path):
    for done, loss in ((0, 9.0), (1, 1.0)):
        book = log.Log(tmp_path, done)
        if not done:
            book.epoch([{**HISTORY[0], "loss": 2.0}])
        book.epoch([{**HISTORY[1], "loss": loss}])
        book.close()
    assert scalars(tmp_path)["loss"] == [(1, 2.0), (2, 1.0)]
    assert scalars(tmp_path)["validation"] == [(2, 0.75)]


def test_curves_show_what_there_is():
    whole = log.curves(HISTORY)
    assert whole.startswith(PNG)
    image = pytest.importorskip("matplotlib.image")
    import io

    pixels = image.imread(io.BytesIO(whole))
    assert pixels.shape == (352, 990, 4)
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 20
    assert log.curves([{**h, "validation": None} for h in HISTORY]) != whole
    assert log.curves(HISTORY[:1]).startswith(PNG)


def test_folders_that_cannot_be_written(tmp_path):
    blocker = tmp_path / "file"
    blocker.touch()
    for folder in (blocker, blocker / "below"):
        with pytest.raises(SpikeloomError, match=r"cannot be written \(.*\); choose another --log"):
            train(OPTIONS, tmp_path / "a.safetensors", log=folder)
    assert not (tmp_path / "a.safetensors").exists()


@pytest.mark.parametrize("name", ["tensorboard", "matplotlib"])
def test_missing_packages_are_one_sentence(tmp_path, monkeypatch, name):
    for module in list(sys.modules):
        if module.split(".")[0] == name or module.startswith("torch.utils.tensorboard"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    message = rf"needs {name}.*, which is not installed: run pip install -e '\.\[train\]', or leave"
    with pytest.raises(SpikeloomError, match=message):
        log.Log(tmp_path / "log")


def test_command_line_logs_by_the_name_of_the_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = (
        "--size 8 --embed-dim 8 --depth 1 --heads 2 --mlp-ratio 1 --steps 1 --epochs 1 --batch 32 "
        "--images 64 --validation 0 --out b/net.safetensors"
    ).split()
    assert __main__.run(words) == 0
    assert (tmp_path / "runs" / "net" / log.CURVES).is_file()
    assert __main__.run([*words, "--log", "elsewhere"]) == 0
    assert (tmp_path / "elsewhere" / log.CURVES).is_file()
    assert __main__.run([*words, "--log", ""]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "elsewhere", "runs"]
