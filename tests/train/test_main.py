"""``python -m sw.train``: its options, endings and messages."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sw.train import __main__
from sw.train.state import state_path

REPO = Path(__file__).resolve().parents[2]


def test_command_line(few_digits, tmp_path, capsys, monkeypatch):
    arguments = (
        "--size 8 --embed-dim 16 --depth 1 --heads 2 --mlp-ratio 1 --steps 1 --epochs 1 --batch 20 "
        "--validation 0 "
        f"--attention kv --mean 0.5 --std 0.25 --out {tmp_path / 'a.safetensors'} --compact"
    ).split()
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    assert __main__.main() == 0
    captured = capsys.readouterr()
    assert "test accuracy" in captured.out
    assert "of 40 wrong" in captured.out
    assert f"wrote {tmp_path / 'a.safetensors'} and {tmp_path / 'a.json'}; log" in captured.out
    assert "1.00/1 " not in captured.err  # a bar is for terminals
    assert "epoch 1 of 1: loss " in captured.err
    assert "warm-up: 0.2 of 1 epochs, a fifth" in captured.err
    fields = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert (fields["attention"], fields["mean"], fields["std"]) == ("kv", [0.5], [0.25])
    assert fields["command"].startswith("python -m sw.train --size 8")
    monkeypatch.setattr(sys, "argv", ["train", *arguments, "--heads", "3"])
    assert __main__.main() == 1
    assert capsys.readouterr().err.startswith("error: BESTformer configuration: embed_dim is 16")


def test_command_line_of_many_short_runs(few_digits, tmp_path, capsys, monkeypatch):
    out = tmp_path / "a.safetensors"
    words = (
        "--size 8 --embed-dim 8 --depth 1 --heads 2 --mlp-ratio 1 --steps 1 --epochs 1 --batch 30 "
        f"--validation 30 --minutes 1e-9 --out {out} --log"
    ).split()
    monkeypatch.setattr(sys, "argv", ["train", *words, ""])
    assert [__main__.main() for _ in range(4)] == [3, 3, 0, 0]  # two batches, the end, nothing
    said = capsys.readouterr().out.splitlines()
    assert (
        said[0] == said[1] == (f"{out}: not through after 1e-09 minutes; the same command goes on")
    )
    assert said[2].startswith(f"{out}: test accuracy ")
    assert said[3] == f"wrote {out} and {out.with_suffix('.json')}"
    assert said[4] == f"{out}: this run is through already; nothing was done"
    monkeypatch.setattr(sys, "argv", ["train", *words, "", "--resume"])
    before = out.read_bytes()
    assert __main__.main() == 0
    assert "nothing was done" in capsys.readouterr().out
    assert out.read_bytes() == before
    assert not state_path(out).exists()
    monkeypatch.setattr(sys, "argv", ["train", *words, "", "--seed", "1"])  # another run
    assert __main__.main() == 3


def test_a_warmup_that_never_ends_is_told(few_digits, tmp_path, capsys):
    words = (
        "--size 8 --embed-dim 8 --depth 1 --heads 2 --mlp-ratio 1 --steps 1 --epochs 1 --batch 30 "
        f"--validation 30 --warmup 3 --out {tmp_path / 'a.safetensors'} --log"
    ).split()
    assert __main__.main([*words, ""]) == 0
    assert "never reaches its peak; give more --epochs, or --warmup 0.2" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "soon"])
def test_minutes_are_above_zero(minutes, capsys):
    with pytest.raises(SystemExit):
        __main__.main([f"--minutes={minutes}"])
    assert "wanted a number above 0, such as 50" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data mnist", r"mnist: \S+ is not in \S+; run python -m sw\.data fetch mnist"),
        (
            "--data vowels",
            "Data set 'vowels' has sequences, which BESTformer .* --model qsnn",
        ),
        ("--data faces", "Data set 'faces' is unknown, wanted one of digits, mnist, "),
        ("--images 2000", r"digits: --images is 2000, there are \d+ to train on; choose fewer"),
        ("--epochs 2 --rounded 3", "rounded is 3, wanted 0 to 2 epochs; change --rounded"),
        ("--no-binary --rounded 1", "Only reversible networks of binary weights .*--rounded 0"),
        ("--model qsnn --alpha batch --rounded 1", "train with --alpha 1, or give --rounded 0"),
        ("--device gpu", "Device 'gpu' cannot be used .*give --device cpu, cuda or cuda:N"),
    ],
)
def test_command_line_mistakes_are_one_sentence(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "empty"))
    out = str(tmp_path / "a.safetensors")
    monkeypatch.setattr(sys, "argv", ["train", *words.split(), "--log", "", "--out", out])
    assert __main__.main() == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(f"error: .*{message}.*", last), last
    assert list(tmp_path.iterdir()) == []


def test_interrupted_command_names_the_cure(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "run", interrupted)
    assert __main__.main() == 130
    assert "--resume continues" in capsys.readouterr().err


def test_missing_torch_is_one_sentence(tmp_path):
    text = "raise ModuleNotFoundError('No module', name='torch')\n"
    (tmp_path / "torch.py").write_text(text, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{REPO}"}
    done = subprocess.run(
        [sys.executable, "-m", "sw.train", "--epochs", "1"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: sw.nn and sw.train need PyTorch")
    assert "pip install -e '.[train]'" in done.stderr


def test_minutes_are_minutes(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(__main__.time, "monotonic", lambda: now[0])
    with __main__._Watch(2.0) as watch, __main__._Watch(None) as endless:
        now[0] += 119.0
        assert not watch()
        now[0] += 2.0
        assert watch()
        assert not endless()
