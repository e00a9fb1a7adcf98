"""Options of a BESTformer's training run."""

import dataclasses
from dataclasses import dataclass, field

from sw.families.bestformer.config import BestformerConfig
from sw.families.options import TrainOptions


@dataclass(frozen=True, kw_only=True)
class BestformerOptions(TrainOptions):
    """Options of a BESTformer's run; the defaults were chosen on the digits' held-out images.

    The learning rate is far above the authors' 5e-4: a run of 50 small epochs has few updates in
    which to turn weights' signs.
    """

    config: BestformerConfig = field(default_factory=BestformerConfig)
    epochs: int = 50
    lr: float = 3e-2
    weight_decay: float = 0.06

    @property
    def untaught(self) -> str | None:
        """Why no teacher can be given; None where one can."""
        if self.config.reversible:
            return None
        return "only a reversible BESTformer has a second head"

    def of_teacher(self) -> "BestformerOptions":
        """Options of the full-precision counterpart that teaches the second head."""
        epochs = self.teacher_epochs or self.epochs
        return dataclasses.replace(
            self,
            config=dataclasses.replace(self.config, binary=False, reversible=False),
            teacher="",
            teacher_epochs=0,
            rounded=0,
            lr=self.lr / 5,
            epochs=epochs,
            warmup=None if self.warmup is None else min(self.warmup, epochs // 2),
        )
