"""The training loop: deterministic by seed, resumable to the step after any interruption."""

import contextlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hw.common.errors import SpikeloomError
from sw.data import DataSet, load, split_validation
from sw.data.augment import augment, augment_events, augment_photographs
from sw.train.checkpoint import save_checkpoint
from sw.train.hardware import Hardware, float_graph
from sw.train.learner import EVALUATED, Learner, Model, make_learner
from sw.train.log import Log
from sw.train.options import TrainOptions
from sw.train.parallel import Processes
from sw.train.state import Average, Place, load_state, save_state, state_path
from sw.train.teacher import TRAIN, load_teacher, teacher_path

__all__ = ["Result", "evaluate", "state_path", "train"]

SAVE_SECONDS = 60.0  #: Between saved states within an epoch.
SETTLED = 64  #: Batches that statistics are measured on before they are frozen.
CALIBRATION = 256  #: Training images on which the integer network's formats are settled.

Report = Callable[[dict[str, Any]], None]
Batch = Callable[[Tensor], Tensor]  #: Rows of the training images to normalised images.


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a finished run found."""

    model: Model
    test_accuracy: float  #: 0 to 1.
    notes: dict[str, Any]  #: JSON fields written beside the weights.


def _data(options: TrainOptions, data_dir: Path | None) -> DataSet:
    c = options.config
    if c.height != c.width:
        raise SpikeloomError(
            f"{options.data}: its images are square, the configuration's are "
            f"{c.height}x{c.width}; change the sizes"
        )
    data = load(options.data, c.height, data_dir, steps=_steps(options))
    image = (c.channels, c.height, c.width)
    if data.shape[-3:] != image or len(data.classes) != c.classes:
        raise SpikeloomError(
            f"{options.data}: the configuration has images of {c.channels}x{c.height}x{c.width} "
            f"in {c.classes} classes, wanted {'x'.join(map(str, data.shape[-3:]))} in "
            f"{len(data.classes)} classes; change them"
        )
    if options.images:
        if options.images > len(data.train_labels):
            raise SpikeloomError(
                f"{options.data}: --images is {options.images}, there are "
                f"{len(data.train_labels)} to train on; choose fewer"
            )
        n = options.images
        data = replace(
            data,
            train_images=data.train_images[:n],
            train_labels=data.train_labels[:n],
            split=f"{data.split}; of train the first {n}",
        )
    n = len(data.train_labels)
    held = options.held_out(n)
    if n - held < options.batch:
        raise SpikeloomError(
            f"Training: {n} images less {held} for validation do not fill a batch "
            f"of {options.batch}; lower --validation or --batch"
        )
    return split_validation(data, held)


def _steps(options: TrainOptions) -> int | None:
    """Frames per recording of event data."""
    from sw.data.catalogue import SOURCES

    return options.config.steps if SOURCES[options.data].kind == "events" else None


def _augmented(options: TrainOptions, data: DataSet) -> Callable[[Tensor], Tensor]:
    """The augmentation that suits the data set."""
    strength = options.augment
    if len(data.shape) == 4:
        return lambda images: augment_events(images, strength)
    if data.name in ("digits", "mnist"):
        return lambda images: augment(images, data.factor, strength)
    return lambda images: augment_photographs(images, strength)


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
        uint8 (n, C, H, W) or (n, T, C, H, W), n at least 1.
    labels : ndarray
        int64 (n,).
    batch : int
        Images at a time.
    """
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device
    model.eval()
    right, sums = 0, {}
    with torch.no_grad():
        for i in range(0, len(images), batch):
            trace: dict[str, Tensor] = {}
            x = model.normalise(torch.from_numpy(images[i : i + batch]).to(device))
            predicted = model.mean_logits(x, trace).argmax(1).cpu().numpy()
            right += int((predicted == labels[i : i + batch]).sum())
            for name, spikes in trace.items():
                rates = spikes.reshape(len(spikes), -1).mean(1) * len(predicted)
                sums[name] = sums.get(name, 0.0) + rates.double().cpu()
    for module, training in modes:
        module.training = training
    n = len(images)
    return right / n, {name: [round(float(r), 5) for r in s / n] for name, s in sums.items()}


def _rate(options: TrainOptions, progress: float) -> float:
    """Learning rate ``progress`` epochs into the run."""
    warms = options.warms
    if progress < warms:
        return options.lr * progress / warms
    done = (progress - warms) / (options.epochs - warms) if warms < options.epochs else 1.0
    return options.lr * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


def _norms(model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


@contextlib.contextmanager
def _one_thread():
    """One thread of torch, and its global RNG left as it was: small tensors gain nothing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads)


class Run:
    """A run at work; `train` makes and drives it."""

    def __init__(
        self, options: TrainOptions, out: Path, data: DataSet, team: Processes, learner: Learner
    ):
        self.options, self.out, self.data, self.team = options, out, data, team
        self.learner, self.model = learner, learner.model
        self.state = state_path(out)
        self.average = Average(self.model, options.ema) if options.ema else None
        half = options.precision == "float16"
        self.scaler = torch.amp.GradScaler(team.device.type, enabled=half)  # type: ignore[attr-defined]
        self.place = Place()
        self.hardware: Hardware | None = None
        self.images = torch.from_numpy(data.train_images)
        self.labels = torch.from_numpy(data.train_labels)
        self.batches = len(self.labels) // options.batch  # what is left over waits for its turn
        self.augmented = _augmented(options, data)
        self.started = time.monotonic()
        self.saved = self.started

    @property
    def rounding(self) -> bool:
        """Whether the next batch passes through the integer network's rounding."""
        return self.place.epoch >= self.options.epochs - self.options.rounds

    def save(self) -> None:
        """Write the state, unless it is one from which nothing good comes."""
        if not all(bool(torch.isfinite(p).all()) for p in self.model.parameters()):
            raise SpikeloomError(
                f"Training: weights are no finite numbers after epoch {self.place.epoch + 1}, "
                f"batch {self.place.batch}; lower --lr (now {self.options.lr:g}), the state saved "
                "before is kept"
            )
        now = time.monotonic()
        self.place.seconds += now - self.started
        self.started = self.saved = now
        save_state(
            self.state,
            self.place,
            self.learner,
            self.average,
            self.scaler,
            self.options,
            self.team,
        )
        self.team.wait()  # whoever looks for the file now finds it

    def resume(self) -> None:
        """Read the state."""
        self.place = load_state(
            self.state, self.learner, self.average, self.scaler, self.options, self.team
        )
        if self.place.frac_bits is not None:
            self._round()

    def _normalised(self, rows: Tensor) -> Tensor:
        return self.model.normalise(self.augmented(self.images[rows].to(self.team.device)))

    def _round(self) -> None:
        """Compute with integers from now on, with frozen statistics."""
        self.hardware = Hardware(self.model, self.data.train_images[:CALIBRATION])
        if self.place.frac_bits is not None:
            self.hardware.frac_bits = self.place.frac_bits
        for norm in _norms(self.model):
            norm.eval()

    def settle(self) -> None:
        """Take the averaged weights, and measure the statistics that belong to them."""
        if self.average is not None:
            self.model.load_state_dict(self.average.tensors)
        norms = _norms(self.model)
        momenta = [norm.momentum for norm in norms]
        self.model.train()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
        order = self._order(self.options.epochs)
        with torch.no_grad():
            for i in range(min(SETTLED, self.batches)):
                rows = order[i * self.options.batch : (i + 1) * self.options.batch]
                self.model.mean_logits(self._normalised(self.team.share(rows)))
        self.team.average_statistics(self.model)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            # sums that never change are their mean: any deviation will do, and 0 is a large scale
            assert norm.running_var is not None
            norm.running_var.masked_fill_(norm.running_var == 0, 1.0)

    def _order(self, epoch: int) -> Tensor:
        """Order of the training images, the same in all processes."""
        generator = torch.Generator().manual_seed((self.options.seed * 1_000_003 + epoch) % 2**63)
        return torch.randperm(len(self.labels), generator=generator)

    def epoch(self, pause: Callable[[], bool], tick: Callable[[float], None]) -> bool:
        """The rest of an epoch; False if it was told to pause, with the state saved."""
        place, options = self.place, self.options
        self.model.train()
        if self.rounding and self.hardware is None:
            self.settle()
            self._round()
        if self.hardware is not None:
            for norm in _norms(self.model):
                norm.eval()
        order = self._order(place.epoch)
        while place.batch < self.batches:
            self._step(order[place.batch * options.batch : (place.batch + 1) * options.batch])
            tick(place.epoch + place.batch / self.batches)
            if self.team.any(pause()):
                self.save()
                return False
            if self.team.any(time.monotonic() - self.saved > SAVE_SECONDS):
                self.save()
        return True

    def _step(self, rows: Tensor) -> None:
        """One update."""
        place, options, optimiser = self.place, self.options, self.learner.optimiser
        for group in optimiser.param_groups:
            group["lr"] = _rate(options, place.epoch + (place.batch + 1) / self.batches)
        rows = self.team.share(rows)
        if self.hardware is not None:
            self.hardware.refresh()
            place.frac_bits = self.hardware.frac_bits
        x = self._normalised(rows)
        labels = self.labels[rows].to(self.team.device)
        progress = (place.epoch + place.batch / self.batches) / options.epochs
        with self._precision():
            loss, logits = self.learner.loss(x, labels, progress)
        if self.team.any(not bool(torch.isfinite(loss))):
            raise SpikeloomError(
                f"Training: the loss is {loss.item()} in epoch {place.epoch + 1}, batch "
                f"{place.batch + 1}, wanted a finite number; lower --lr (now {options.lr:g})"
            )
        optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.team.average_gradients(self.model)
        self.scaler.step(optimiser)
        self.scaler.update()
        if self.average is not None and self.hardware is None:
            self.average.update(self.model)
        place.batch += 1
        place.loss += loss.item()
        place.right += int((logits.argmax(1) == labels).sum())

    def _precision(self) -> contextlib.AbstractContextManager:
        if self.options.precision == "float32" or self.hardware is not None:
            return contextlib.nullcontext()  # what is rounded has more bits than a half holds
        dtype = getattr(torch, self.options.precision)
        return torch.autocast(self.team.device.type, dtype)

    def end_epoch(self) -> None:
        """Measure, note and save."""
        place, options, data = self.place, self.options, self.data
        self.team.average_statistics(self.model)
        held_out = None
        if len(data.validation_labels):
            held_out = self.validate()
        seen = self.batches * len(self.team.share(torch.arange(options.batch)))
        place.history.append(
            {
                "epoch": place.epoch + 1,
                "loss": round(place.loss / self.batches, 5),
                "train": round(place.right / seen, 5),
                "validation": held_out,
                "lr": _rate(options, place.epoch + 1 - 1 / self.batches),
            }
        )
        place.epoch += 1
        place.batch, place.loss, place.right = 0, 0.0, 0
        self.save()

    def validate(self) -> float:
        """Accuracy on the validation split, of the averaged weights where there are any."""
        kept = None
        if self.average is not None and self.hardware is None:
            kept = {name: t.clone() for name, t in self.model.state_dict().items()}
            self.model.load_state_dict(self.average.tensors)
        elif self.hardware is not None:
            self.hardware.refresh()
        found, _ = evaluate(self.model, self.data.validation_images, self.data.validation_labels)
        if kept is not None:
            self.model.load_state_dict(kept)
        return found


def train(
    options: TrainOptions,
    out: Path,
    *,
    resume: bool = False,
    compact: bool = False,
    report: Report | None = None,
    command: str = "",
    data_dir: Path | None = None,
    device: str = "auto",
    log: Path | None = None,
    pause: Callable[[], bool] | None = None,
    tick: Callable[[float], None] | None = None,
) -> Result | None:
    """Train a network and write its checkpoint.

    Once a minute and after every epoch the run's state is replaced atomically (`state_path`), so
    that it can be killed at any moment and resumed to the same weights. The test split is measured
    once, at the end. Sets torch to one thread meanwhile, and leaves its global RNG as it was.
    Under ``torchrun`` the processes share the batches.

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
        then on, ``loss``, ``train`` (accuracy on augmented images) and, where images are held out,
        ``validation``; ``of`` is 'teacher' while the teacher is trained.
    command : str
        The command line, noted in the JSON.
    data_dir : Path, optional
        As for `sw.data.load`.
    device : str
        'auto' (CUDA where there is one), 'cpu', 'cuda', ...
    log : Path, optional
        Folder of a TensorBoard log and of curves.png.
    pause : callable, optional
        Asked after every step; True saves the state and ends the call.
    tick : callable, optional
        Called after every step with the epochs done.

    Returns
    -------
    Result or None
        None where ``pause`` ended it before the run was through.
    """
    _prepare_folder(out)
    tell, step = report or (lambda _: None), tick or (lambda _: None)
    stop = pause or (lambda: False)
    state = state_path(out)
    if state.exists() and not resume:
        raise SpikeloomError(
            f"Output {out}: an interrupted run's state lies beside it ({state}); continue "
            "with --resume, or delete that file to start anew"
        )
    path = teacher_path(out)
    if options.teacher == TRAIN and not finished(options.of_teacher(), path):
        done = train(
            options.of_teacher(),
            path,
            resume=state_path(path).exists(),
            report=lambda progress: tell({**progress, "of": "teacher"}),
            command=command,
            data_dir=data_dir,
            device=device,
            log=log and log / "teacher",
            pause=pause,
            tick=tick,
        )
        if done is None:
            return None
    with _one_thread():
        team = Processes(device)
        if options.batch < team.count:
            raise SpikeloomError(
                f"Training: a batch of {options.batch} is shared by {team.count} processes, wanted "
                "an image for each; raise --batch, or start fewer"
            )
        team.join()
        data = _data(options, data_dir)
        torch.manual_seed(options.seed)
        teacher = load_teacher(options, out, team.device)[0] if options.teacher else None
        learner = make_learner(options, teacher)
        learner.model.to(team.device)
        torch.manual_seed((options.seed + 7919 * team.rank) % 2**63)
        run = Run(options, out, data, team, learner)
        if resume and (state.exists() or options.teacher != TRAIN):
            run.resume()  # without a state it was the teacher's training that ended
        return _drive(run, compact, tell, command, log if team.first else None, stop, step)


def finished(options: TrainOptions, out: Path) -> bool:
    """Whether ``out`` is what a run of just these options wrote."""
    try:
        fields = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
        noted = {**fields["training"], "config": {k: fields[k] for k in options.config.to_json()}}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return out.is_file() and noted == json.loads(json.dumps(options.to_json()))


def _drive(
    run: Run,
    compact: bool,
    report: Report,
    command: str,
    log: Path | None,
    pause: Callable[[], bool],
    tick: Callable[[float], None],
) -> Result | None:
    options, place, model, data, team = run.options, run.place, run.model, run.data, run.team
    if options.rounds:
        float_graph(model)  # refuses what is no hardware, before any training
    report({"epoch": place.epoch})
    if place.batch:
        tick(place.epoch + place.batch / run.batches)
    book = Log(log, place.epoch) if log is not None else None
    try:
        while place.epoch < options.epochs:
            if not run.epoch(pause, tick):
                return None
            run.end_epoch()
            if book is not None:
                book.epoch(place.history)
            last = {k: v for k, v in place.history[-1].items() if v is not None and k != "lr"}
            report(last)
    finally:
        if book is not None:
            book.close()
    if run.hardware is not None:
        run.hardware.remove()
    elif run.average is not None:
        run.settle()
    model.eval()
    signed = run.learner.sign()
    if zeros := run.learner.zero_weights():
        raise SpikeloomError(
            f"Training: sign(W - mean) is exactly 0 for {zeros}, wanted no zeros (a weight has one "
            "bit); train with another --seed"
        )
    held_out = None
    if len(data.validation_labels):
        held_out, _ = evaluate(model, data.validation_images, data.validation_labels)
    accuracy, rates = evaluate(model, data.test_images, data.test_labels)
    notes = {
        "data": options.data,
        "split": data.split,
        "trained_on": f"{len(data.train_labels)} images of the train split",
        "validation_images": len(data.validation_labels),
        "validation_accuracy": held_out,
        "test_images": len(data.test_labels),
        "test_accuracy": accuracy,
        "test_wrong": round((1 - accuracy) * len(data.test_labels)),
        "prediction": run.learner.prediction,
        "weights_given_a_sign": signed,
        "input": "x = (uint8 / 255 - mean) / std, then zero padding",
        "spike_rate": rates,
        "compact": compact,
        "seed": options.seed,
        "training": {k: v for k, v in options.to_json().items() if k != "config"},
        "history": place.history,
        "command": command,
        "processes": team.count,
        "device": team.device.type,
        "seconds": round(place.seconds, 1),
        "torch": torch.__version__,
    }
    if team.first:
        save_checkpoint(model, run.out, notes, compact=compact)
        run.state.unlink(missing_ok=True)
    team.wait()
    return Result(model=model, test_accuracy=accuracy, notes=notes)
