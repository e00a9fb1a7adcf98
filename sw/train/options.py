"""Everything that decides the outcome of a training run, one class per family."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from hw.arch.errors import SpikeloomError
from sw.models.config import BestformerConfig
from sw.models.qsnn import RATE_WEIGHT
from sw.models.qsnn_config import QsnnConfig

DATA = ("digits",)  #: Data sets.


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a run; equal options give equal weights on the same machine and torch.

    These defaults are a BESTformer's, those of `QsnnOptions` a Q-SNN's; both were chosen on the
    held-out images of the digits. The learning rate of a BESTformer is far above the authors' 5e-4:
    a run of 50 small epochs has few updates in which to turn weights' signs.
    """

    config: BestformerConfig | QsnnConfig = field(default_factory=BestformerConfig)
    data: str = "digits"  #: One of `DATA`.
    seed: int = 0
    epochs: int = 50
    batch: int = 32  #: Images per update.
    lr: float = 3e-2  #: Peak learning rate; cosine to 0 after the warm-up.
    warmup: int = 5  #: Epochs of linear warm-up.
    weight_decay: float = 0.06  #: On convolution and linear weights.
    label_smoothing: float = 0.1
    augment: float = 0.6  #: Strength of the augmentation, 0 for none.
    validation: int = 237  #: Training images held out, and measured after every epoch.

    def __post_init__(self):
        self._check("data", self.data in DATA, f"one of {', '.join(DATA)}")
        self._check("seed", 0 <= self.seed < 2**63, "0 to 2**63 - 1")
        self._check("epochs", self.epochs >= 1, "1 or more")
        self._check("batch", self.batch >= 2, "2 or more (batch normalisation)")
        self._check("lr", math.isfinite(self.lr) and self.lr > 0, "a number above 0")
        self._check("warmup", 0 <= self.warmup, "0 or more epochs")
        decay = self.weight_decay
        self._check("weight_decay", math.isfinite(decay) and decay >= 0, "0 up")
        self._check("label_smoothing", 0 <= self.label_smoothing < 1, "0 up to below 1")
        self._check("augment", math.isfinite(self.augment) and self.augment >= 0, "0 or more")
        self._check("validation", self.validation >= 0, "0 or more images")

    def _check(self, name: str, fits: bool, wanted: str) -> None:
        if not fits:
            raise SpikeloomError(
                f"Training option {name} is {getattr(self, name)!r}, wanted {wanted}; "
                f"change --{name.replace('_', '-')}"
            )

    def to_json(self) -> dict[str, Any]:
        """All options as JSON types."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**fields, "config": self.config.to_json()}

    def differences(self, other: dict[str, Any]) -> list[str]:
        """``name: other's value -> own value`` of every option unlike ``other`` (`to_json`)."""

        def flat(fields: dict[str, Any]) -> dict[str, Any]:
            return {k: v for k, v in fields.items() if k != "config"} | fields["config"]

        own, theirs = flat(self.to_json()), flat(other)
        return [
            f"{name}: {theirs.get(name)!r} -> {own.get(name)!r}"
            for name in own | theirs
            if own.get(name) != theirs.get(name)
        ]


@dataclass(frozen=True, kw_only=True)
class QsnnOptions(TrainOptions):
    """Options of a Q-SNN's run."""

    config: QsnnConfig = field(default_factory=QsnnConfig)
    epochs: int = 100
    lr: float = 0.1
    warmup: int = 0
    weight_decay: float = 5e-4
    rate_weight: float = RATE_WEIGHT  #: Share of the spike-rate loss.

    def __post_init__(self):
        super().__post_init__()
        rate = self.rate_weight
        self._check("rate_weight", math.isfinite(rate) and rate >= 0, "0 or more")
