"""The training loop: deterministic by seed, resumable after any interruption."""

import io
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hw.arch.errors import SpikeloomError
from sw.data import Digits, load_digits
from sw.data.augment import augment
from sw.data.digits import SPLIT
from sw.models.checkpoint import save_checkpoint, write_atomically
from sw.train.learner import EVALUATED, Learner, Model, make_learner
from sw.train.options import TrainOptions

STATE_FORMAT = 1  #: Of the state file; older or newer ones are refused.

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a finished run found."""

    model: Model
    test_accuracy: float  #: 0 to 1.
    notes: dict[str, Any]  #: JSON fields written beside the weights.


def state_path(out: Path) -> Path:
    """Where a run that writes ``out`` keeps its state until it ends."""
    return out.with_suffix(".state.pt")


def _data(options: TrainOptions) -> Digits:
    c = options.config
    if c.height != c.width or (c.channels, c.classes) != (1, 10):
        raise SpikeloomError(
            f"digits: the configuration has images of {c.channels}x{c.height}x{c.width} in "
            f"{c.classes} classes, wanted square images of 1 channel in 10 classes; "
            "change the sizes"
        )
    data = load_digits(c.height)
    n = len(data.train_labels)
    if n - options.validation < options.batch:
        raise SpikeloomError(
            f"Training: {n} images less {options.validation} for validation do not fill a batch "
            f"of {options.batch}; lower --validation or --batch"
        )
    return data


def _prepare_folder(out: Path) -> None:
    """Refuse a path that cannot be written, before any training."""
    if out.suffix != ".safetensors":
        raise SpikeloomError(
            f"Output {out}: ends in {out.suffix!r}, wanted '.safetensors'; rename --out"
        )
    probe = out.with_name(f".{out.name}.{os.getpid()}.probe")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SpikeloomError(
            f"Output {out}: its folder cannot be written ({error.strerror}); choose another --out"
        ) from error


def evaluate(
    model: Model, images: np.ndarray, labels: np.ndarray, batch: int = EVALUATED
) -> tuple[float, dict[str, list[float]]]:
    """Accuracy, and spike rates per neuron and step.

    Parameters
    ----------
    model : Bestformer or Qsnn
        Put into evaluation mode for the measurement, then back.
    images : ndarray
        uint8 (n, C, H, W), n at least 1.
    labels : ndarray
        int64 (n,).
    batch : int
        Images at a time.
    """
    was_training = model.training
    model.eval()
    right, sums = 0, {}
    with torch.no_grad():
        for i in range(0, len(images), batch):
            trace: dict[str, Tensor] = {}
            x = model.normalise(torch.from_numpy(images[i : i + batch]))
            predicted = model.mean_logits(x, trace).argmax(1).numpy()
            right += int((predicted == labels[i : i + batch]).sum())
            for name, spikes in trace.items():
                rates = spikes.flatten(1).mean(1) * len(predicted)
                sums[name] = sums.get(name, 0.0) + rates.double()
    model.train(was_training)
    n = len(images)
    return right / n, {name: [round(float(r), 5) for r in s / n] for name, s in sums.items()}


def _rate(options: TrainOptions, progress: float) -> float:
    """Learning rate ``progress`` epochs into the run."""
    if progress < options.warmup:
        return options.lr * progress / options.warmup
    done = (progress - options.warmup) / max(options.epochs - options.warmup, 1)
    return options.lr * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


def _save_state(path: Path, epoch: int, learner: Learner, options: TrainOptions) -> None:
    buffer = io.BytesIO()
    torch.save(
        {
            "format": STATE_FORMAT,
            "options": options.to_json(),
            "epoch": epoch,
            "model": learner.model.state_dict(),
            "optimiser": learner.optimiser.state_dict(),
            "rng": torch.get_rng_state(),
        },
        buffer,
    )
    write_atomically(path, buffer.getvalue())


def _load_state(path: Path, learner: Learner, options: TrainOptions) -> int:
    """Restore everything; the number of epochs done."""
    if not path.is_file():
        raise SpikeloomError(
            f"Resume: no state file {path}; give the --out of the interrupted run, or leave "
            "--resume out to start anew"
        )
    try:
        state = torch.load(path, weights_only=True)
        known = state["format"] == STATE_FORMAT
    except Exception as error:  # torch raises many kinds on a damaged file
        raise SpikeloomError(
            f"Resume: {path} cannot be read ({type(error).__name__}); delete it and start anew"
        ) from error
    if not known:
        raise SpikeloomError(
            f"Resume: {path} has state format {state['format']!r}, wanted {STATE_FORMAT}; "
            "delete it and start anew"
        )
    if changed := options.differences(state["options"]):
        raise SpikeloomError(
            f"Resume: {path} belongs to a run with other options ({'; '.join(changed)}); "
            "give the options of that run, or another --out to start anew"
        )
    learner.model.load_state_dict(state["model"])
    learner.optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["rng"])
    return state["epoch"]


def _epoch(learner: Learner, options: TrainOptions, data: Digits, n: int, epoch: int) -> float:
    """One pass over the first ``n`` training images; the mean loss."""
    model, optimiser = learner.model.train(), learner.optimiser
    images, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels)
    order = torch.randperm(n)
    batches = n // options.batch  # what is left over waits for another order
    total = 0.0
    for i in range(batches):
        for group in optimiser.param_groups:
            group["lr"] = _rate(options, epoch + (i + 1) / batches)
        rows = order[i * options.batch : (i + 1) * options.batch]
        x = model.normalise(augment(images[rows], data.factor, options.augment))
        loss = learner.loss(x, labels[rows], (epoch + i / batches) / options.epochs)
        if not torch.isfinite(loss):
            raise SpikeloomError(
                f"Training: the loss is {loss.item()} in epoch {epoch + 1}, batch {i + 1}, wanted "
                f"a finite number; lower --lr (now {options.lr:g})"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += loss.item()
    return total / batches


def train(
    options: TrainOptions,
    out: Path,
    *,
    resume: bool = False,
    compact: bool = False,
    report: Report | None = None,
    command: str = "",
) -> Result:
    """Train a network and write its checkpoint.

    After every epoch the run's state is replaced atomically (`state_path`), so that it can be
    killed at any moment and resumed to the same weights. The test split is measured once, at the
    end. Sets torch to one thread, and leaves its global RNG as it was.

    Parameters
    ----------
    options : TrainOptions
        All that decides the outcome; of a Q-SNN, `QsnnOptions`.
    out : Path
        The .safetensors to write; the JSON goes beside it.
    resume : bool
        Continue the run whose state lies beside ``out``.
    compact : bool
        Store binary layers as int8 -1/+1.
    report : callable, optional
        Called after every epoch, and once at the start, with ``epoch`` (epochs done) and, from
        then on, ``loss`` and, where images are held out, ``validation`` (accuracy).
    command : str
        The command line, noted in the JSON.
    """
    _prepare_folder(out)
    data = _data(options)
    state = state_path(out)
    if state.exists() and not resume:
        raise SpikeloomError(
            f"Output {out}: an interrupted run's state lies beside it ({state}); continue with "
            "--resume, or delete that file to start anew"
        )
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        return _train(options, out, data, resume, compact, report or (lambda _: None), command)


def _train(
    options: TrainOptions, out: Path, data: Digits, resume: bool, compact: bool, report: Report,
    command: str,
) -> Result:  # fmt: skip
    torch.manual_seed(options.seed)
    learner = make_learner(options)
    model = learner.model
    state = state_path(out)
    n = len(data.train_labels) - options.validation
    done = _load_state(state, learner, options) if resume else 0
    report({"epoch": done})
    started = time.monotonic()
    held_out = None
    for epoch in range(done, options.epochs):
        progress: dict[str, Any] = {"loss": _epoch(learner, options, data, n, epoch)}
        if options.validation:
            held_out, _ = evaluate(model, data.train_images[n:], data.train_labels[n:])
            progress["validation"] = held_out
        _save_state(state, epoch + 1, learner, options)
        report({"epoch": epoch + 1, **progress})
    seconds = time.monotonic() - started
    model.eval()
    if zeros := learner.zero_weights():
        raise SpikeloomError(
            f"Training: sign(W - mean) is exactly 0 for {zeros}, wanted no zeros (a weight has one "
            "bit); train with another --seed"
        )
    if options.validation and held_out is None:  # resumed after the last epoch
        held_out, _ = evaluate(model, data.train_images[n:], data.train_labels[n:])
    accuracy, rates = evaluate(model, data.test_images, data.test_labels)
    notes = {
        "data": options.data,
        "split": SPLIT,
        "trained_on": f"first {n} images of the train split",
        "validation_images": options.validation,
        "validation_accuracy": held_out,
        "test_images": len(data.test_labels),
        "test_accuracy": accuracy,
        "test_wrong": round((1 - accuracy) * len(data.test_labels)),
        "prediction": learner.prediction,
        "input": "x = (uint8 / 255 - mean) / std, then zero padding",
        "spike_rate": rates,
        "compact": compact,
        "seed": options.seed,
        "training": {k: v for k, v in options.to_json().items() if k != "config"},
        "command": command,
        "seconds": round(seconds, 1),
        "torch": torch.__version__,
    }
    save_checkpoint(model, out, notes, compact=compact)
    state.unlink(missing_ok=True)
    return Result(model=model, test_accuracy=accuracy, notes=notes)
