"""What the training loop knows of a model family: its network, loss and optimiser."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import reduce
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hw.common.errors import SpikeloomError
from sw.models.bestformer import Bestformer
from sw.models.binary import centred, zero_weights
from sw.models.config import BestformerConfig
from sw.models.qsnn import Qsnn, Trace
from sw.models.qsnn import loss as qsnn_loss
from sw.models.qsnn_config import QsnnConfig
from sw.models.qsnn_layers import zero_weights as scaled_zero_weights
from sw.train.options import QsnnOptions, TrainOptions

MOMENTUM = 0.9  #: Of a Q-SNN's SGD.
EVALUATED = 128  #: Images at a time in evaluation.

Model = Bestformer | Qsnn
M = TypeVar("M", bound=Model)
Teacher = Callable[[Tensor], Tensor]  #: Normalised images to decided classes (B,).


class Learner(ABC, Generic[M]):
    """A network in training, made anew from torch's RNG."""

    model: M
    optimiser: torch.optim.Optimizer
    prediction: str  #: What the predicted class is, in words.

    @abstractmethod
    def loss(self, x: Tensor, labels: Tensor, progress: float) -> tuple[Tensor, Tensor]:
        """Scalar loss of normalised images (B, C, H, W), and logits whose argmax is predicted.

        ``progress`` is that of the run, 0 to 1.
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


class BestformerLearner(Learner[Bestformer]):
    """AdamW; the second head learns the teacher's decisions, or the labels where there is none."""

    def __init__(
        self, options: TrainOptions, config: BestformerConfig, teacher: Teacher | None = None
    ):
        self.options, self.teacher = options, teacher
        self.model = Bestformer(config)
        if config.reversible:
            second = "the teacher's decisions" if teacher else "the labels too"
            self.prediction = (
                f"argmax of the mean of head, trained on the labels, and head2, on {second}"
            )
        else:
            self.prediction = "argmax of head"
        heads = ("head.weight", "head2.weight")
        groups = _decayed(
            self.model, options, lambda name, _: name.endswith("_conv.weight") or name in heads
        )
        self.optimiser = torch.optim.AdamW(groups, lr=options.lr)

    def loss(self, x: Tensor, labels: Tensor, progress: float) -> tuple[Tensor, Tensor]:
        """Mean of the heads' cross-entropies."""
        targets = [labels, labels if self.teacher is None else self.teacher(x)]
        logits = self.model(x)
        losses = [
            F.cross_entropy(y.float(), target, label_smoothing=self.options.label_smoothing)
            for y, target in zip(logits, targets, strict=False)
        ]
        return reduce(torch.add, losses) / len(losses), reduce(torch.add, logits)

    def zero_weights(self) -> dict[str, int]:
        """Exact zeros of sign(W - mean), by layer."""
        return zero_weights(self.model)


class QsnnLearner(Learner[Qsnn]):
    """SGD with momentum; the sign's gradient sharpens with the run's progress."""

    def __init__(self, options: QsnnOptions):
        self.options = options
        self.prediction = "argmax of the mean of all steps' logits"
        if options.config.alpha is None:
            self.prediction += f", alpha from batches of {EVALUATED} images"
        self.model = Qsnn(options.config)
        groups = _decayed(self.model, options, lambda _, p: p.ndim > 1)
        self.optimiser = torch.optim.SGD(groups, lr=options.lr, momentum=MOMENTUM)

    def loss(self, x: Tensor, labels: Tensor, progress: float) -> tuple[Tensor, Tensor]:
        """Cross-entropy averaged over steps, plus the spike-rate loss."""
        self.model.anneal(progress)
        trace: Trace = {}
        logits = self.model(x, trace).float()
        options = self.options
        loss = qsnn_loss(
            logits, labels, trace, options.rate_weight, label_smoothing=options.label_smoothing
        )
        return loss, logits.mean(0)

    def zero_weights(self) -> dict[str, int]:
        """Standardised weights of no sign, by layer."""
        return scaled_zero_weights(self.model)


def _decayed(
    model: Model, options: TrainOptions, is_weight: Callable[[str, Tensor], bool]
) -> list[dict]:
    """Parameter groups, with weight decay for those parameters that are weights."""
    decayed, free = [], []
    for name, p in model.named_parameters():
        (decayed if is_weight(name, p) else free).append(p)
    return [
        {"params": decayed, "weight_decay": options.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


def make_learner(options: TrainOptions, teacher: Teacher | None = None) -> Learner:
    """Learner of the family whose configuration ``options`` hold."""
    if isinstance(options, QsnnOptions):
        return QsnnLearner(options)
    if isinstance(options.config, QsnnConfig):
        raise SpikeloomError(
            "Training: TrainOptions hold the configuration of a Q-SNN, wanted a BESTformer's; "
            "use QsnnOptions"
        )
    return BestformerLearner(options, options.config, teacher)
