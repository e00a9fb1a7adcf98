"""What the training loop asks of a family: its network, loss and optimiser. Needs torch."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from sw.families.options import TrainOptions
from sw.nn.binary import centred
from sw.nn.network import Network

EVALUATED = 128  #: Images at a time in evaluation.

M = TypeVar("M", bound=Network)
Teacher = Callable[[Tensor], Tensor]  #: Normalised images to decided classes (B,).


class Learner(ABC, Generic[M]):
    """A network in training, made anew from torch's RNG."""

    model: M
    optimiser: torch.optim.Optimizer
    prediction: str  #: What the predicted class is, in words.

    @abstractmethod
    def loss(
        self, x: Tensor, labels: Tensor, progress: float, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Scalar loss of normalised images (B, C, H, W), and logits whose argmax is predicted.

        ``progress`` is that of the run, 0 to 1. Of sequences (B, T, C, H, W) the first ``lengths``
        frames count, (B,); only networks of a family that `streams` get such.
        """

    @abstractmethod
    def zero_weights(self) -> dict[str, int]:
        """Number of weights without a sign in each binary layer that has any."""

    def sign(self) -> dict[str, int]:
        """Give weights that lie on their filter's mean the sign +; how many, by layer."""
        found = self.zero_weights()
        for name in found:
            weight = self.model.get_submodule(name).weight
            assert isinstance(weight, Tensor)
            with torch.no_grad():
                zero = centred(weight) == 0
                step = weight.abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True) * 1e-4
                weight += torch.where(zero, step.clamp(min=1e-6), 0.0)
        return found


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """A family's parts that need torch; its module of hooks holds one, called ``HOOKS``."""

    network: Callable[..., Network]  #: Of the family's configuration, with random weights.
    learner: Callable[..., Learner[Any]]  #: Of the family's options and a `Teacher` or None.


def decayed(
    model: Network, options: TrainOptions, is_weight: Callable[[str, Tensor], bool]
) -> list[dict]:
    """Parameter groups, with weight decay for those parameters that are weights."""
    weights, free = [], []
    for name, p in model.named_parameters():
        (weights if is_weight(name, p) else free).append(p)
    return [
        {"params": weights, "weight_decay": options.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
