"""A run interrupted anywhere, by anything, goes on to the same bytes or says why it cannot."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from hw.common.errors import SpikeloomError
from sw.data import load
from sw.families.bestformer.training import BestformerLearner
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.options import QsnnOptions
from sw.train import __main__, run
from sw.train.loop import train
from sw.train.state import state_path
from sw.train.teacher import teacher_path
from tests.train.resuming import BATCHES, OPTIONS, after, interrupted, written

REPO = Path(__file__).resolve().parents[2]
QSNN = QsnnOptions(
    config=QsnnConfig(widths=(4, 8), blocks=(1, 1), height=8, width=8),
    epochs=3,
    rounded=1,
    batch=32,
    seed=7,
    validation=30,
    images=130,
)
KINDS = {
    "plain": OPTIONS,
    "average": dataclasses.replace(OPTIONS, ema=0.9),
    "average alone": dataclasses.replace(OPTIONS, ema=0.9, rounded=0),
    "all rounded": dataclasses.replace(OPTIONS, rounded=3, warmup=0),
    "teacher": dataclasses.replace(OPTIONS, teacher="train", teacher_epochs=2),
    "bfloat16": dataclasses.replace(OPTIONS, precision="bfloat16", ema=0.9),
    "float16": dataclasses.replace(OPTIONS, precision="float16", rounded=0),
    "float16 rounded": dataclasses.replace(OPTIONS, precision="float16"),
    "qsnn": dataclasses.replace(QSNN, ema=0.9),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_paused_after_any_step_it_ends_with_the_same_bytes(tmp_path, kind):
    options = KINDS[kind]
    whole = tmp_path / "whole.safetensors"
    pause, count = after()
    assert train(options, whole, pause=pause) is not None
    total = BATCHES * (options.epochs + options.teacher_epochs)
    assert count == [total]
    # in the first epoch, at its end, in the middle of the rounded one, at the very end
    for k in {1, BATCHES, total // 2, total - BATCHES, total - 1, total}:
        out = tmp_path / f"{k}.safetensors"
        pause, count = after(k)
        assert train(options, out, pause=pause) is None
        path = out if k > BATCHES * options.teacher_epochs else teacher_path(out)
        assert state_path(path).is_file()
        assert not path.exists()
        torch.rand(k)  # the caller's RNG must not matter
        assert train(options, out, resume=True, pause=pause) is not None
        assert count == [total], k
        assert written(out) == written(whole), k
        assert not list(tmp_path.glob("*.state.pt"))


def test_saved_states_leave_the_run_as_it_was(tmp_path, monkeypatch):
    whole, often = tmp_path / "whole.safetensors", tmp_path / "often.safetensors"
    train(OPTIONS, whole)
    monkeypatch.setattr(run, "SAVE_SECONDS", 0.0)
    train(OPTIONS, often)
    assert written(often) == written(whole)


DRIVER = """
import sys
from pathlib import Path
from sw.train import __main__, run
run.SAVE_SECONDS = 0.0
save = run.save_state
def told(path, place, *rest):
    save(path, place, *rest)
    print("saved", place.epoch, place.batch, flush=True)
run.save_state = told
sys.exit(__main__.main())
"""
WORDS = (
    "--size 8 --embed-dim 8 --depth 1 --heads 2 --mlp-ratio 1 --steps 2 --epochs 3 --rounded 1 "
    "--warmup 1 --images 400 --validation 30 --batch 8 --log"
).split()


def started(out, *words):
    """The command, at work in a process that tells of every saved state."""
    environment = os.environ | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, *WORDS, "", "--out", str(out), *words],
        env=environment,
        cwd=out.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def wait_for(process, text):
    """Read what it says up to a line."""
    for line in process.stdout:
        if line.strip() == text:
            return
    pytest.fail(f"it ended before {text!r}: {process.stderr.read()}")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_in_mid_epoch_it_resumes_to_the_same_bytes(tmp_path):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    assert __main__.run([*WORDS, "", "--out", str(whole)]) == 0
    process = started(parts)
    wait_for(process, "saved 1 5")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert state_path(parts).is_file()
    assert not parts.exists()

    process = started(parts, "--resume")
    wait_for(process, "saved 2 3")  # rounded
    time.sleep(0.02)
    process.terminate()
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted; the same command with --resume continues"
    assert "Traceback" not in said
    assert state_path(parts).is_file()

    assert __main__.run([*WORDS, "", "--out", str(parts), "--resume"]) == 0
    (weights, fields), (want, wanted) = written(parts), written(whole)
    assert weights == want
    del fields["command"], wanted["command"]
    assert fields == wanted


@pytest.mark.parametrize("before", [signal.default_int_handler, signal.SIG_IGN])
def test_a_second_request_to_end_stops_at_once(before):
    outer = signal.signal(signal.SIGINT, before)  # jobs in the background ignore it
    try:
        with __main__._Watch(None) as watch:
            assert not watch()
            os.kill(os.getpid(), signal.SIGINT)
            assert watch()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, outer)


def test_a_loss_that_is_no_number_leaves_the_state_before_it(tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    train(OPTIONS, whole)
    real, calls = BestformerLearner.loss, []

    def loss(self, *args):
        calls.append(args)
        value, logits = real(self, *args)
        return (value * float("nan") if len(calls) == 5 else value), logits

    with monkeypatch.context() as patch:
        patch.setattr(BestformerLearner, "loss", loss)
        message = r"the loss is nan in epoch 2, batch 2, .*lower --lr \(now 0\.03\)"
        with pytest.raises(SpikeloomError, match=message):
            train(OPTIONS, parts)
    train(OPTIONS, parts, resume=True)
    assert written(parts) == written(whole)


def test_data_of_the_run_are_the_first_images(tmp_path, monkeypatch):
    """`images` is the same as a data set that has no more."""
    first, cut = tmp_path / "first.safetensors", tmp_path / "cut.safetensors"
    train(OPTIONS, first)
    data = load("digits", 8)
    few = dataclasses.replace(
        data, train_images=data.train_images[:130], train_labels=data.train_labels[:130]
    )
    monkeypatch.setattr("sw.train.data.load", lambda *_, **__: few)
    train(dataclasses.replace(OPTIONS, images=0), cut)
    assert first.read_bytes() == cut.read_bytes()
    assert "; of train the first 130; validation: first 30" in written(first)[1]["split"]


def test_weights_that_are_no_numbers_are_not_saved(tmp_path, monkeypatch):
    out, whole = tmp_path / "a.safetensors", tmp_path / "whole.safetensors"
    train(OPTIONS, whole)
    interrupted(OPTIONS, out)
    before = state_path(out).read_bytes()
    step = torch.optim.AdamW.step

    def ruined(self, *args, **rest):
        step(self, *args, **rest)
        with torch.no_grad():
            self.param_groups[0]["params"][0].fill_(float("nan"))

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", ruined)
        with pytest.raises(SpikeloomError, match=r"weights are no finite numbers .*lower --lr"):
            train(OPTIONS, out, resume=True, pause=lambda: True)
    assert state_path(out).read_bytes() == before
    train(OPTIONS, out, resume=True)
    assert out.read_bytes() == whole.read_bytes()
