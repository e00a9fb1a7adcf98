"""Teachers of a BESTformer's second head: trained, of a file, or any module; and mistakes."""

import dataclasses
import json

import pytest
import torch

from hw.common.errors import SpikeloomError
from sw.families.bestformer.model import Bestformer
from sw.families.bestformer.training import BestformerLearner
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.model import Qsnn
from sw.train import __main__, loop
from sw.train.checkpoint import load_checkpoint, save_checkpoint
from sw.train.loop import finished, state_path, train
from sw.train.teacher import load_teacher, teacher_path
from tests.train.teachers import ALWAYS, OPTIONS, TINY

CPU = torch.device("cpu")


def calls(monkeypatch):
    """Updates made from now on, by whether the network is the teacher."""
    seen, real = [], BestformerLearner.loss

    def loss(self, *args):
        seen.append("student" if self.model.config.binary else "teacher")
        return real(self, *args)

    monkeypatch.setattr(BestformerLearner, "loss", loss)
    return seen


def test_a_trained_teacher_is_made_once(tmp_path, monkeypatch):
    out = tmp_path / "a.safetensors"
    seen, told = calls(monkeypatch), []
    assert train(OPTIONS, out, report=told.append, command="this one") is not None
    assert seen == ["teacher"] * 4 + ["student"] * 4
    assert [p.get("of") for p in told] == ["teacher"] * 3 + [None] * 3
    assert [p["epoch"] for p in told] == [0, 1, 2] * 2
    path = teacher_path(out)
    assert path.name == "a-teacher.safetensors"
    assert finished(OPTIONS.of_teacher(), path)
    model, fields = load_checkpoint(path)
    assert isinstance(model, Bestformer)
    assert (model.config.binary, model.config.reversible) == (False, False)
    assert (fields["prediction"], fields["command"]) == ("argmax of head", "this one")
    assert json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["prediction"].endswith(
        "head2, on the teacher's decisions"
    )
    weights, teacher = out.read_bytes(), path.read_bytes()

    seen.clear()
    train(OPTIONS, out)
    assert seen == ["student"] * 4
    assert (out.read_bytes(), path.read_bytes()) == (weights, teacher)

    seen.clear()  # other options need another teacher
    train(dataclasses.replace(OPTIONS, teacher_epochs=1, epochs=1), out)
    assert seen == ["teacher"] * 2 + ["student"] * 2
    assert not finished(OPTIONS.of_teacher(), path)


def test_finished_is_a_run_of_just_these_options(tmp_path):
    out = tmp_path / "a.safetensors"
    options = dataclasses.replace(OPTIONS, teacher="", epochs=1)
    assert not finished(options, out)
    train(options, out)
    assert finished(options, out)
    assert not finished(dataclasses.replace(options, lr=0.1), out)
    config = dataclasses.replace(TINY, steps=1)
    assert not finished(dataclasses.replace(options, config=config), out)
    notes = out.with_suffix(".json")
    whole = notes.read_text(encoding="utf-8")
    for damaged in ("", "{", "{}", '{"training": {}}', "[]", '{"training": null}'):
        notes.write_text(damaged, encoding="utf-8")
        assert not finished(options, out)
    notes.write_text(whole, encoding="utf-8")
    assert finished(options, out)
    out.unlink()
    assert not finished(options, out)


def test_a_file_teaches(tmp_path, monkeypatch):
    path, out = tmp_path / "t.safetensors", tmp_path / "a.safetensors"
    torch.manual_seed(1)
    for model in (
        Bestformer(dataclasses.replace(TINY, embed_dim=16, binary=False, reversible=False)),
        Qsnn(QsnnConfig(widths=(4,), blocks=(1,), height=8, width=8)),
    ):
        save_checkpoint(model, path)
        options = dataclasses.replace(OPTIONS, epochs=1, teacher=str(path))
        decide, loaded = load_teacher(options, out, CPU)
        x = torch.rand(6, 1, 8, 8)
        with torch.no_grad():
            want = model.eval().mean_logits(x).argmax(1)
        assert torch.equal(decide(x), want)
        assert not any(p.requires_grad for p in loaded.parameters())
        seen = calls(monkeypatch)
        assert train(options, out) is not None
        assert set(seen) == {"student"}
        assert not teacher_path(out).exists()


@pytest.mark.parametrize("name", ["Always", "instance"])
def test_any_module_teaches_by_command_line(module, tmp_path, capsys, name):
    out = tmp_path / "a.safetensors"
    words = "--size 8 --embed-dim 8 --depth 1 --heads 2 --mlp-ratio 1 --steps 1 --epochs 1"
    more = f"--batch 32 --images 64 --validation 0 --teacher {module(ALWAYS)}:{name} --log"
    assert __main__.run([*words.split(), *more.split(), "", "--out", str(out)]) == 0
    assert "test accuracy" in capsys.readouterr().out
    fields = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert fields["training"]["teacher"].endswith(f":{name}")


def test_mistakes_of_names(module, tmp_path):
    out = tmp_path / "a.safetensors"
    place = module(ALWAYS + "\nnumber = 3\ndef text(): return 'no module'\n")
    broken = module("import no_such_package_of_spikeloom\n")
    mistakes = {
        "resnet": "'resnet': wanted 'train', a .safetensors file, or MODULE:CALLABLE",
        "a:": "'a:': wanted 'train', a .safetensors",
        ":b": "':b': wanted 'train', a .safetensors",
        "no_such_spikeloom:b": "cannot be imported .*no_such_spikeloom.*PYTHONPATH",
        f"{place}:Never": "cannot be imported .*Never.*PYTHONPATH",
        f"{broken}:Always": "cannot be imported .*no_such_package_of_spikeloom",
        f"{place}:text": "made a str, wanted a torch.nn.Module; correct it",
        f"{place}:number": "made a int, wanted a torch.nn.Module; correct it",
        f".{place}:Always": "cannot be imported .*relative",
        str(tmp_path / "none.safetensors"): "none.safetensors: no such file",
    }
    for name, message in mistakes.items():
        with pytest.raises(SpikeloomError, match=message):
            train(dataclasses.replace(OPTIONS, teacher=name), out)
    assert not state_path(out).exists()


def test_mistakes_of_shapes(module, tmp_path):
    place = module(
        ALWAYS + "\ndef five(): return Always(3, 5)\n"
        "class Pair(nn.Module):\n    def forward(self, x): return x, x\n"
    )
    for name, got in (("five", r"\(32, 5\)"), ("Pair", "tuple")):
        options = dataclasses.replace(OPTIONS, teacher=f"{place}:{name}")
        with pytest.raises(SpikeloomError, match=rf"gave {got}, wanted .* shape \(32, 10\); wrap"):
            train(options, tmp_path / f"{name}.safetensors")
    path = tmp_path / "t.safetensors"
    for field, value in {"classes": 5, "mean": (0.5,), "std": (0.25,)}.items():
        save_checkpoint(Bestformer(dataclasses.replace(TINY, **{field: value})), path)
        with pytest.raises(SpikeloomError, match=rf"its {field} is .*, wanted the student's"):
            load_teacher(dataclasses.replace(OPTIONS, teacher=str(path)), path, CPU)
    save_checkpoint(Bestformer(dataclasses.replace(TINY, height=16, width=16)), path)
    with pytest.raises(SpikeloomError, match="its height is 16, wanted the student's 8; train it"):
        train(dataclasses.replace(OPTIONS, teacher=str(path)), tmp_path / "a.safetensors")


def test_a_teacher_of_no_options_is_not_overwritten_while_another_trains(tmp_path):
    """The state of a teacher in training belongs to its options."""
    out = tmp_path / "a.safetensors"
    assert train(OPTIONS, out, pause=lambda: True) is None
    assert state_path(teacher_path(out)).is_file()
    with pytest.raises(SpikeloomError, match=r"a-teacher\.state\.pt belongs to .*other options"):
        train(dataclasses.replace(OPTIONS, seed=8), out, resume=True)
    assert loop.train(OPTIONS, out, resume=True) is not None
