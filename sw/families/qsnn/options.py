"""Options of a Q-SNN's training run."""

import math
from dataclasses import dataclass, field

from sw.families.options import TrainOptions
from sw.families.qsnn.config import RATE_WEIGHT, QsnnConfig


@dataclass(frozen=True, kw_only=True)
class QsnnOptions(TrainOptions):
    """Options of a Q-SNN's run; the defaults were chosen on the digits' held-out images."""

    config: QsnnConfig = field(default_factory=QsnnConfig)
    epochs: int = 100
    lr: float = 0.1
    warmup: float | None = 0
    weight_decay: float = 5e-4
    rate_weight: float = RATE_WEIGHT  #: Share of the spike-rate loss.

    def __post_init__(self):
        super().__post_init__()
        rate = self.rate_weight
        self.check("rate_weight", math.isfinite(rate) and rate >= 0, "0 or more")
