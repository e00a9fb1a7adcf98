"""A run at work: its steps, epochs and phases, from one saved state to the next."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from hw.common.errors import SpikeloomError
from sw.data import DataSet
from sw.families.learner import Learner
from sw.families.options import TrainOptions
from sw.train.data import augmentation
from sw.train.evaluate import evaluate
from sw.train.hardware import Hardware
from sw.train.parallel import Processes
from sw.train.schedule import image_order, learning_rate
from sw.train.state import Average, Place, load_state, save_state, state_path

SAVE_SECONDS = 60.0  #: Between saved states within an epoch.
SETTLED = 64  #: Batches that statistics are measured on before they are frozen.
CALIBRATION = 256  #: Training images on which the integer network's formats are settled.


def _norms(model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


class Run:
    """A run at work; `sw.train.loop.train` makes and drives it."""

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
        self.lengths = torch.from_numpy(data.train_lengths) if data.has_lengths else None
        self.batches = len(self.labels) // options.batch  # what is left over waits for its turn
        self.augmented = augmentation(options, data)
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
        order = image_order(self.options, self.options.epochs, len(self.labels))
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
        order = image_order(options, place.epoch, len(self.labels))
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
            group["lr"] = learning_rate(options, place.epoch + (place.batch + 1) / self.batches)
        rows = self.team.share(rows)
        if self.hardware is not None:
            self.hardware.refresh()
            place.frac_bits = self.hardware.frac_bits
        x = self._normalised(rows)
        labels = self.labels[rows].to(self.team.device)
        lengths = None if self.lengths is None else self.lengths[rows].to(self.team.device)
        progress = (place.epoch + place.batch / self.batches) / options.epochs
        with self._precision():
            loss, logits = self.learner.loss(x, labels, progress, lengths)
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
                "lr": learning_rate(options, place.epoch + 1 - 1 / self.batches),
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
        data = self.data
        found, _ = evaluate(
            self.model,
            data.validation_images,
            data.validation_labels,
            lengths=data.validation_lengths,
        )
        if kept is not None:
            self.model.load_state_dict(kept)
        return found
