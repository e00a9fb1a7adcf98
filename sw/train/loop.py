"""Training from options to a checkpoint: deterministic by seed, resumable to the step."""

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hw.common.errors import SpikeloomError
from sw.families.options import TrainOptions
from sw.nn.network import Network
from sw.train.checkpoint import save_checkpoint
from sw.train.data import training_data
from sw.train.evaluate import evaluate
from sw.train.hardware import float_graph
from sw.train.learner import make_learner
from sw.train.log import Log
from sw.train.parallel import Processes
from sw.train.run import Run
from sw.train.state import state_path
from sw.train.teacher import TRAIN, load_teacher, teacher_path

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a finished run found."""

    model: Network
    test_accuracy: float  #: 0 to 1.
    notes: dict[str, Any]  #: JSON fields written beside the weights.


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
        All that decides the outcome, of the class of its family.
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
        data = training_data(options, data_dir)
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
        held_out, _ = evaluate(
            model,
            data.validation_images,
            data.validation_labels,
            lengths=data.validation_lengths,
        )
    accuracy, rates = evaluate(model, data.test_images, data.test_labels, lengths=data.test_lengths)
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
