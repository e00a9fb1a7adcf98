"""The state of a run on disk, from which it goes on to the same weights."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hw.common import files
from hw.common.errors import SpikeloomError
from sw.families.learner import Learner
from sw.families.options import TrainOptions
from sw.train.checkpoint import CURE
from sw.train.log import History
from sw.train.parallel import Processes

STATE_FORMAT = 2  #: Of the state file; older or newer ones are refused.


def state_path(out: Path) -> Path:
    """Where a run that writes ``out`` keeps its state until it ends."""
    return out.with_suffix(".state.pt")


class Average:
    """Exponential average of a model's parameters and statistics.

    The decay grows from 0.1 to ``decay``, as min(decay, (1 + n) / (10 + n)) at update n.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay, self.updates = decay, 0
        self.tensors = {
            name: t.detach().clone() for name, t in model.state_dict().items()
        }  # aliases stay apart, and equal

    def update(self, model: nn.Module) -> None:
        """Move towards the model as it is now."""
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, t in model.state_dict().items():
            if t.is_floating_point():
                self.tensors[name].lerp_(t, share)
            else:
                self.tensors[name].copy_(t)


@dataclass
class Place:
    """How far a run is."""

    epoch: int = 0  #: Epochs done.
    batch: int = 0  #: Batches done of the next one.
    loss: float = 0.0  #: Sum over those batches,
    right: int = 0  #: and images of them that were predicted.
    seconds: float = 0.0  #: Of work so far.
    frac_bits: int | None = None  #: Of the integer network, while training rounds.
    history: History = field(default_factory=list)


def _random(device: torch.device) -> dict[str, Tensor]:
    found = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    return found


def save_state(
    path: Path,
    place: Place,
    learner: Learner,
    average: Average | None,
    scaler: Any,
    options: TrainOptions,
    team: Processes,
) -> None:
    """Replace the state file atomically; every process takes part, the first writes."""
    random = team.everyone(_random(team.device))
    # statistics of batch normalisation differ between processes until the epoch ends
    buffers = team.everyone({n: b.cpu() for n, b in learner.model.named_buffers()})
    if not team.first:
        return
    buffer = io.BytesIO()
    torch.save(
        {
            "format": STATE_FORMAT,
            "options": options.to_json(),
            "place": vars(place),
            "model": learner.model.state_dict(),
            "average": None if average is None else (average.updates, average.tensors),
            "optimiser": learner.optimiser.state_dict(),
            "scaler": scaler.state_dict(),
            "random": random,
            "buffers": buffers if team.count > 1 else [],
        },
        buffer,
    )
    files.write(path, buffer.getvalue(), CURE)


def load_state(
    path: Path,
    learner: Learner,
    average: Average | None,
    scaler: Any,
    options: TrainOptions,
    team: Processes,
) -> Place:
    """Restore everything; how far the run is."""
    if not path.is_file():
        raise SpikeloomError(
            f"Resume: no state file {path}; give the --out of the interrupted run, or leave "
            "--resume out to start anew"
        )
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
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
    if len(state["random"]) != team.count:
        raise SpikeloomError(
            f"Resume: {path} belongs to a run of {len(state['random'])} processes, not "
            f"{team.count}; start as many"
        )
    learner.model.load_state_dict(state["model"])
    if state["buffers"]:
        for name, b in learner.model.named_buffers():
            b.copy_(state["buffers"][team.rank][name])
    learner.optimiser.load_state_dict(state["optimiser"])
    scaler.load_state_dict(state["scaler"])
    if average is not None:
        average.updates, tensors = state["average"]
        for name, t in average.tensors.items():
            t.copy_(tensors[name])
    random = state["random"][team.rank]
    torch.set_rng_state(random["cpu"])
    if "cuda" in random and team.device.type == "cuda":
        torch.cuda.set_rng_state(random["cuda"], team.device)
    return Place(**state["place"])
