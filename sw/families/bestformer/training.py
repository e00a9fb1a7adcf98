"""A BESTformer in training: its two heads' loss and its optimiser."""

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from sw.families.bestformer.model import Bestformer
from sw.families.bestformer.options import BestformerOptions
from sw.families.learner import Hooks, Learner, Teacher, decayed
from sw.nn.binary import zero_weights


class BestformerLearner(Learner[Bestformer]):
    """AdamW; the second head learns the teacher's decisions, or the labels where there is none."""

    def __init__(self, options: BestformerOptions, teacher: Teacher | None = None):
        self.options, self.teacher = options, teacher
        config = options.config
        self.model: Bestformer = Bestformer(config)
        if config.reversible:
            second = "the teacher's decisions" if teacher else "the labels too"
            self.prediction = (
                f"argmax of the mean of head, trained on the labels, and head2, on {second}"
            )
        else:
            self.prediction = "argmax of head"
        heads = ("head.weight", "head2.weight")
        groups = decayed(
            self.model, options, lambda name, _: name.endswith("_conv.weight") or name in heads
        )
        self.optimiser = torch.optim.AdamW(groups, lr=options.lr)

    def loss(
        self, x: Tensor, labels: Tensor, progress: float, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean of the heads' cross-entropies."""
        assert lengths is None  # the family has no streams
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


HOOKS = Hooks(network=Bestformer, learner=BestformerLearner)
