"""Training, resuming and checkpoints, on a handful of images."""

import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hw.common.errors import SpikeloomError
from sw import families
from sw.data import load, load_digits
from sw.data.augment import augment
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import Bestformer
from sw.families.bestformer.options import BestformerOptions
from sw.families.qsnn.options import QsnnOptions
from sw.nn.binary import BinaryConv1d, BinaryConv2d, binarise, compact_weights
from sw.train import __main__
from sw.train.arguments import flag, model_options, run_options
from sw.train.checkpoint import (
    checkpoint_tensors,
    load_checkpoint,
    save_checkpoint,
    write_atomically,
)
from sw.train.evaluate import evaluate
from sw.train.loop import train
from sw.train.schedule import learning_rate
from sw.train.state import state_path

REPO = Path(__file__).resolve().parents[2]
TINY = BestformerConfig(height=8, width=8, embed_dim=16, depth=1, heads=2, mlp_ratio=1, steps=2)
OPTIONS = BestformerOptions(config=TINY, epochs=3, warmup=1, batch=32, seed=7, validation=30)


@pytest.fixture
def few_digits(monkeypatch):
    """Train on 100 images, test on 40."""

    def few(name, size, data_dir, *, steps):
        assert (name, data_dir, steps) == ("digits", None, None)
        digits = load(name, size)
        return dataclasses.replace(
            digits,
            train_images=digits.train_images[:100],
            train_labels=digits.train_labels[:100],
            test_images=digits.test_images[:40],
            test_labels=digits.test_labels[:40],
        )

    monkeypatch.setattr("sw.train.data.load", few)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def stop_after(epochs, error):
    """Report that raises ``error`` once ``epochs`` epochs are done."""

    def report(progress):
        if progress["epoch"] == epochs:
            raise error

    return report


def test_resumed_run_equals_an_uninterrupted_one(few_digits, tmp_path):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    seen = []
    train(OPTIONS, whole, report=seen.append)
    assert [p["epoch"] for p in seen] == [0, 1, 2, 3]
    assert all(0 <= p[k] <= 1 for p in seen[1:] for k in ("train", "validation"))
    losses = [p["loss"] for p in seen[1:]]  # as measured when the loop was written
    assert losses == pytest.approx([2.37046, 2.23709, 2.24068], rel=2e-3)
    with pytest.raises(KeyboardInterrupt):
        train(OPTIONS, parts, report=stop_after(2, KeyboardInterrupt()))
    assert files(tmp_path) == ["parts.state.pt", "whole.json", "whole.safetensors"]
    torch.rand(5)  # the caller's RNG must not matter
    resumed = []
    train(OPTIONS, parts, resume=True, report=resumed.append)
    assert [p["epoch"] for p in resumed] == [2, 3]
    assert resumed[1] == seen[3]
    assert parts.read_bytes() == whole.read_bytes()
    names = ["parts.json", "parts.safetensors", "whole.json", "whole.safetensors"]
    assert files(tmp_path) == names  # no state is left
    sides = [path.with_suffix(".json") for path in (whole, parts)]
    notes = [json.loads(side.read_text(encoding="utf-8")) for side in sides]
    for fields in notes:
        del fields["seconds"]
    assert notes[0] == notes[1]


def test_interruption_within_an_epoch_resumes_to_the_same_weights(
    few_digits, tmp_path, monkeypatch
):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    train(OPTIONS, whole)
    calls = []

    def augment_until_killed(*args):
        calls.append(args)
        if len(calls) == 4:  # the second batch of the second epoch
            raise KeyboardInterrupt
        return augment(*args)

    with monkeypatch.context() as patch:
        patch.setattr("sw.train.data.augment", augment_until_killed)
        with pytest.raises(KeyboardInterrupt):
            train(OPTIONS, parts)
    train(OPTIONS, parts, resume=True)
    assert parts.read_bytes() == whole.read_bytes()


def test_another_seed_gives_other_weights_and_the_global_rng_stays(few_digits, tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    contents = []
    for seed in (0, 1):
        out = tmp_path / f"{seed}.safetensors"
        train(dataclasses.replace(OPTIONS, epochs=1, seed=seed), out)
        contents.append(out.read_bytes())
    assert contents[0] != contents[1]
    assert torch.equal(torch.get_rng_state(), before)


def test_checkpoint_has_the_authors_keys_and_says_where_it_comes_from(few_digits, tmp_path):
    out = tmp_path / "new" / "a.safetensors"
    result = train(dataclasses.replace(OPTIONS, epochs=1), out, command="python -m sw.train ...")
    model, fields = load_checkpoint(out)
    wanted = {k for k in result.model.state_dict() if not k.endswith("num_batches_tracked")}
    assert set(checkpoint_tensors(model)) == wanted
    assert all(t.dtype == torch.float32 for t in checkpoint_tensors(model).values())
    assert model.config == TINY
    assert fields["model"] == "bestformer"
    assert fields["test_accuracy"] == result.test_accuracy
    assert fields["test_images"] == 40
    assert fields["trained_on"] == "70 images of the train split"
    assert "first 30 of numpy RandomState(0)" in fields["split"]
    assert fields["validation_images"] == 30
    assert [set(h) for h in fields["history"]] == [{"epoch", "loss", "train", "validation", "lr"}]
    assert (fields["processes"], fields["device"]) == (1, "cpu")
    assert fields["seed"] == 7
    assert fields["command"] == "python -m sw.train ..."
    assert len(fields["spike_rate"]) == 12
    assert all(len(rates) == TINY.steps for rates in fields["spike_rate"].values())
    digits = load_digits(8)
    accuracy, rates = evaluate(model, digits.test_images[:40], digits.test_labels[:40])
    assert accuracy == result.test_accuracy
    assert rates == fields["spike_rate"]


def test_resuming_another_run_is_refused(few_digits, tmp_path):
    out = tmp_path / "a.safetensors"
    with pytest.raises(SpikeloomError, match=r"no state file .*a\.state\.pt"):
        train(OPTIONS, out, resume=True)
    with pytest.raises(KeyboardInterrupt):
        train(OPTIONS, out, report=stop_after(1, KeyboardInterrupt()))
    other = dataclasses.replace(
        OPTIONS, lr=1e-4, config=dataclasses.replace(TINY, heads=4, similarity="xnor")
    )
    with pytest.raises(
        SpikeloomError, match=r"other options \(.*lr: 0.\d+ -> 0.0001.*heads: 2 -> 4"
    ):
        train(other, out, resume=True)
    with pytest.raises(SpikeloomError, match=r"interrupted run's state lies beside it"):
        train(OPTIONS, out)
    state_path(out).write_bytes(b"damaged")
    with pytest.raises(SpikeloomError, match=r"state\.pt cannot be read .*delete it"):
        train(OPTIONS, out, resume=True)


def test_a_loss_that_is_no_number_stops_the_run(few_digits, tmp_path):
    with pytest.raises(SpikeloomError, match=r"the loss is (nan|inf) in epoch .*lower --lr"):
        train(dataclasses.replace(OPTIONS, lr=1e30), tmp_path / "a.safetensors")


def test_outputs_that_cannot_be_written_are_refused_before_training(few_digits, tmp_path):
    blocker = tmp_path / "file"
    blocker.touch()
    seen = []
    with pytest.raises(SpikeloomError, match="its folder cannot be written"):
        train(OPTIONS, blocker / "a.safetensors", report=seen.append)
    with pytest.raises(SpikeloomError, match=r"ends in '\.pt', wanted '\.safetensors'"):
        train(OPTIONS, tmp_path / "a.pt", report=seen.append)
    assert seen == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0, wanted 1 or more; change --epochs"),
        ({"batch": 1}, "batch is 1, wanted 2 or more"),
        ({"lr": float("nan")}, "lr is nan, wanted a number above 0"),
        ({"label_smoothing": 1.0}, "wanted 0 up to below 1; change --label-smoothing"),
        ({"images": -1}, "images is -1, wanted 0 or more images; change --images"),
        ({"rounded": 4}, "rounded is 4, wanted 0 to 3 epochs; change --rounded"),
        ({"ema": 1.0}, "ema is 1.0, wanted 0 up to below 1"),
        ({"precision": "int8"}, "precision is 'int8', wanted one of float32, float16, bfloat16"),
        ({"teacher_epochs": -1}, "teacher_epochs is -1, .*change --teacher-epochs"),
        ({"validation": -1}, "validation is -1, wanted 0 or more images"),
    ],
)
def test_option_mistakes(change, message):
    with pytest.raises(SpikeloomError, match=message):
        dataclasses.replace(OPTIONS, **change)


def test_data_that_do_not_fit_the_configuration(few_digits, tmp_path):
    out = tmp_path / "a.safetensors"
    mistakes = {
        "images of 3x8x8 in 10 classes, wanted 1x8x8 in 10 classes": {"channels": 3},
        "images of 1x8x8 in 5 classes, wanted 1x8x8 in 10 classes": {"classes": 5},
        "images are square, the configuration's are 8x16": {"width": 16},
    }
    for message, config in mistakes.items():
        options = dataclasses.replace(OPTIONS, config=dataclasses.replace(TINY, **config))
        with pytest.raises(SpikeloomError, match=message):
            train(options, out)
    with pytest.raises(SpikeloomError, match=r"data is 'faces', wanted one of digits, mnist, "):
        train(dataclasses.replace(OPTIONS, data="faces"), out)
    options = dataclasses.replace(OPTIONS, config=dataclasses.replace(TINY, height=12, width=12))
    with pytest.raises(SpikeloomError, match="side is 12, wanted a multiple of 8"):
        train(options, out)
    with pytest.raises(SpikeloomError, match="do not fill a batch of 32; lower --validation"):
        train(dataclasses.replace(OPTIONS, validation=80), out)
    with pytest.raises(SpikeloomError, match=r"--images is 101, there are 100 .*choose fewer"):
        train(dataclasses.replace(OPTIONS, images=101), out)


def test_compact_weights_binarise_to_the_same_or_are_not_made():
    generator = torch.Generator().manual_seed(0)
    for shape in ((40, 3, 3, 3), (7, 2, 1), (5, 512, 1, 1)):
        weight = torch.randn(shape, generator=generator)
        compact = compact_weights(weight)
        assert compact.dtype == torch.int8
        assert torch.equal(binarise(compact.float()), binarise(weight))
    assert compact_weights(torch.tensor([[[1.0], [2.0], [3.0]]])) is None  # a sign of zero
    assert compact_weights(torch.ones(1, 4, 1)) is None


def test_compact_checkpoint_gives_the_same_logits(tmp_path):
    torch.manual_seed(0)
    model = Bestformer(TINY).eval()
    with torch.no_grad():
        model.block[0].mlp.mlp1_conv.weight[0, :] = 1.0  # cannot be compact: stays real
        model.patch_embed.block1_bn.bias.fill_(1.0)
    save_checkpoint(model, tmp_path / "a.safetensors", compact=True)
    tensors = checkpoint_tensors(model, compact=True)
    binary = {
        f"{n}.weight"
        for n, m in model.named_modules()
        if isinstance(m, BinaryConv1d | BinaryConv2d)
    }
    compact = {name for name, t in tensors.items() if t.dtype == torch.int8}
    assert compact == binary - {"block.0.mlp.mlp1_conv.weight"}
    loaded, _ = load_checkpoint(tmp_path / "a.safetensors")
    x = torch.rand(4, 1, 8, 8) * 4
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(model(x), loaded(x), strict=True))


def test_damaged_checkpoints_say_what_is_wrong(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(SpikeloomError, match=r"a\.safetensors: no such file"):
        load_checkpoint(path)
    with pytest.raises(SpikeloomError, match=r"ends in '\.bin', wanted '\.safetensors'"):
        save_checkpoint(Bestformer(TINY), tmp_path / "a.bin")
    save_checkpoint(Bestformer(TINY), path)
    whole = path.read_bytes()
    fields = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

    def refuses(message, **changes):
        path.with_suffix(".json").write_text(json.dumps(fields | changes), encoding="utf-8")
        with pytest.raises(SpikeloomError, match=message):
            load_checkpoint(path)

    refuses(r"tensor block\.1\.attn\.k_bn\.bias is missing", depth=2)
    refuses("tensor block.0.attn.k_bn.bias has shape .16,., wanted .32,.", embed_dim=32)
    refuses("model is 'resnet', wanted 'bestformer' or 'qsnn'", model="resnet")
    refuses("has no place", variant="imagenet", height=16, width=16)
    del fields["heads"]
    refuses("lacks heads")
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"a.json: not readable as JSON"):
        load_checkpoint(path)
    path.with_suffix(".json").write_text("[]", encoding="utf-8")
    with pytest.raises(SpikeloomError, match="holds no JSON object"):
        load_checkpoint(path)
    path.with_suffix(".json").write_text("{}", encoding="utf-8")
    path.write_bytes(whole[:200])
    with pytest.raises(SpikeloomError, match="not readable as safetensors"):
        load_checkpoint(path)


def test_atomic_writing_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SpikeloomError, match=r"cannot be written \(No space left on device\)"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == ["file"]


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_augmented_digits_stay_in_range_and_alike(factor):
    images = torch.from_numpy(load_digits(8 * factor).train_images[:50])
    assert torch.equal(augment(images, factor, 0.0), images.float())
    torch.manual_seed(0)
    moved = augment(images, factor)
    torch.manual_seed(0)
    assert torch.equal(augment(images, factor), moved)
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 255
    assert not torch.equal(moved, images.float())
    alike = np.corrcoef(moved.flatten(1).numpy(), images.flatten(1).numpy())[:50, 50:]
    assert np.diag(alike).mean() > np.median(alike) + 0.15


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


@pytest.mark.parametrize(
    ("epochs", "warmup", "warms"),
    [
        (1, None, 0.2),
        (4, None, 0.8),
        (10, None, 2),
        (25, None, 5),
        (50, None, 5),
        (300, None, 5),
        (4, 5, 5),
        (4, 0, 0),
        (50, 1.5, 1.5),
    ],
)
def test_warmup_is_a_fifth_of_few_epochs_unless_given(epochs, warmup, warms):
    options = BestformerOptions(epochs=epochs, warmup=warmup)
    assert options.warms == pytest.approx(warms)
    assert options.to_json()["warmup"] == options.warms  # a state says what was done
    rates = [learning_rate(options, epochs * i / 1000) for i in range(1001)]
    if warms < epochs:
        assert max(rates) == pytest.approx(options.lr, rel=1e-2)
        assert rates[-1] == pytest.approx(0, abs=1e-9)
        assert rates.index(max(rates)) == pytest.approx(1000 * warms / epochs, abs=1)
    else:
        assert max(rates) < options.lr
    assert QsnnOptions(epochs=4).warms == 0


def test_teacher_of_few_epochs_warms_up_too():
    options = BestformerOptions(epochs=50, teacher="train", teacher_epochs=3)
    assert options.of_teacher().warms == pytest.approx(0.6)


def test_a_warmup_that_never_ends_is_told(few_digits, tmp_path, capsys):
    words = (
        "--size 8 --embed-dim 8 --depth 1 --heads 2 --mlp-ratio 1 --steps 1 --epochs 1 --batch 30 "
        f"--validation 30 --warmup 3 --out {tmp_path / 'a.safetensors'} --log"
    ).split()
    assert __main__.main([*words, ""]) == 0
    assert "never reaches its peak; give more --epochs, or --warmup 0.2" in capsys.readouterr().err


def test_options_name_the_form_they_want(capsys):
    seen = {}
    for family in families.trained():
        for option in (*model_options(family), *run_options(family)):
            if option.kind.get("type", bool) is not bool and "choices" not in option.kind:
                seen.setdefault(flag(option.name), family.name)
    assert {"--size", "--depth", "--widths", "--lr", "--rate-weight"} <= seen.keys()
    for name, family in seen.items():
        with pytest.raises(SystemExit) as stop:
            __main__.main(["--model", family, name, "32x"])
        assert stop.value.code == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert re.search(r"'32x' is not .*, wanted a .*number, such as \S", last), last


@pytest.mark.parametrize("written", [".state.pt", ".json", ".safetensors"])
def test_a_full_disk_is_one_sentence_and_leaves_no_part(
    few_digits, tmp_path, capsys, monkeypatch, written
):
    replace = os.replace

    def full(source, target):
        if str(target).endswith(f"a{written}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    words = (
        "--size 8 --embed-dim 8 --depth 1 --heads 2 --mlp-ratio 1 --steps 1 --epochs 1 --batch 30 "
        f"--validation 30 --out {tmp_path / 'a.safetensors'} --log"
    ).split()
    assert __main__.main([*words, ""]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "No space left on device" in last
    assert not list(tmp_path.glob("*part*"))
    assert not list(tmp_path.glob(".*part*"))
    assert not (tmp_path / "a.safetensors").exists()


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "soon"])
def test_minutes_are_above_zero(minutes, capsys):
    with pytest.raises(SystemExit):
        __main__.main([f"--minutes={minutes}"])
    assert "wanted a number above 0, such as 50" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data mnist", r"mnist: \S+ is not in \S+; run python -m sw\.data fetch mnist"),
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
