"""A Q-SNN in training: its loss over steps and spikes, and its optimiser."""

import torch
from torch import Tensor

from sw.families.learner import EVALUATED, Hooks, Learner, Teacher, decayed
from sw.families.qsnn.layers import zero_weights
from sw.families.qsnn.model import Qsnn, Trace, loss, mean_steps
from sw.families.qsnn.options import QsnnOptions

MOMENTUM = 0.9  #: Of its SGD.


class QsnnLearner(Learner[Qsnn]):
    """SGD with momentum; the sign's gradient sharpens with the run's progress."""

    def __init__(self, options: QsnnOptions, teacher: Teacher | None = None):
        assert teacher is None  # its options take none
        self.options = options
        self.prediction = "argmax of the mean of all steps' logits"
        if options.config.alpha is None:
            self.prediction += f", alpha from batches of {EVALUATED} images"
        self.model: Qsnn = Qsnn(options.config)
        groups = decayed(self.model, options, lambda _, p: p.ndim > 1)
        self.optimiser = torch.optim.SGD(groups, lr=options.lr, momentum=MOMENTUM)

    def loss(
        self, x: Tensor, labels: Tensor, progress: float, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy averaged over steps, plus the spike-rate loss."""
        self.model.anneal(progress)
        trace: Trace = {}
        logits = self.model(x, trace).float()
        options = self.options
        found = loss(
            logits,
            labels,
            trace,
            options.rate_weight,
            lengths=lengths,
            label_smoothing=options.label_smoothing,
        )
        return found, mean_steps(logits, lengths)

    def zero_weights(self) -> dict[str, int]:
        """Standardised weights of no sign, by layer."""
        return zero_weights(self.model)


HOOKS = Hooks(network=Qsnn, learner=QsnnLearner)
