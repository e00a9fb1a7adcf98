"""Everything that decides the outcome of a training run, whatever the family."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self

from hw.common.errors import SpikeloomError
from sw.families.fields import Config

PRECISIONS = ("float32", "float16", "bfloat16")  #: Of matrix products; neurons are float32.
WARMUP = 5  #: Epochs of linear warm-up, or a fifth of all if that is fewer.
VALIDATION = {"digits": 237}  #: Training images held out,
MOST_VALIDATION = 5000  #: and of other data sets, or a tenth if that is fewer.


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a run; equal options give equal weights on the same machine and torch.

    Each family has a class of its own, which states the defaults and adds what else there is.
    """

    config: Config
    data: str = "digits"  #: One of `sw.data.NAMES`, which is checked when it is read.
    images: int = 0  #: Training images used, the first ones; 0 for all.
    seed: int = 0
    epochs: int
    rounded: int | None = None  #: Last epochs that round as hardware does; None: `rounds`.
    batch: int = 32  #: Images per update, all processes together.
    lr: float  #: Peak learning rate; cosine to 0 after the warm-up.
    warmup: float | None = None  #: Epochs of linear warm-up; None: `warms`.
    weight_decay: float  #: On convolution and linear weights.
    label_smoothing: float = 0.1
    augment: float = 0.6  #: Strength of the augmentation, 0 for none.
    ema: float = 0.0  #: Decay of the average of weights per update, 0 for none.
    precision: str = "float32"  #: One of `PRECISIONS`, until rounding begins.
    teacher: str = ""  #: Of the second head: '', 'train', a checkpoint, or MODULE:CALLABLE.
    teacher_epochs: int = 0  #: Epochs of a teacher that is trained; 0 for as many as ``epochs``.
    validation: int | None = None  #: Training images held out; None for `held_out`'s number.

    def __post_init__(self):
        self.check("images", self.images >= 0, "0 or more images")
        self.check("seed", 0 <= self.seed < 2**63, "0 to 2**63 - 1")
        self.check("epochs", self.epochs >= 1, "1 or more")
        fits = self.rounded is None or 0 <= self.rounded <= self.epochs
        self.check("rounded", fits, f"0 to {self.epochs} epochs")
        self.check("batch", self.batch >= 2, "2 or more (batch normalisation)")
        self.check("lr", math.isfinite(self.lr) and self.lr > 0, "a number above 0")
        warmup = self.warmup
        self.check("warmup", warmup is None or 0 <= warmup < math.inf, "0 or more epochs")
        decay = self.weight_decay
        self.check("weight_decay", math.isfinite(decay) and decay >= 0, "0 up")
        self.check("label_smoothing", 0 <= self.label_smoothing < 1, "0 up to below 1")
        self.check("augment", math.isfinite(self.augment) and self.augment >= 0, "0 or more")
        self.check("ema", 0 <= self.ema < 1, "0 up to below 1")
        self.check("precision", self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}")
        self.check("teacher_epochs", self.teacher_epochs >= 0, "0 or more epochs")
        held = self.validation
        self.check("validation", held is None or held >= 0, "0 or more images")
        if self.teacher:
            self.check("teacher", self.untaught is None, f"none: {self.untaught}")

    def check(self, name: str, fits: bool, wanted: str) -> None:
        """Refuse the value of the option ``name`` unless it ``fits`` what is ``wanted``."""
        if not fits:
            raise SpikeloomError(
                f"Training option {name} is {getattr(self, name)!r}, wanted {wanted}; "
                f"change --{name.replace('_', '-')}"
            )

    @property
    def warms(self) -> float:
        """Epochs of linear warm-up; where it is not said, five, but a fifth of few epochs."""
        return min(WARMUP, self.epochs / 5) if self.warmup is None else self.warmup

    @property
    def rounds(self) -> int:
        """Last epochs that pass through the integer network's rounding.

        Where it is not said: a tenth, rounded down; none of networks that are no hardware.
        """
        if self.rounded is not None:
            return self.rounded
        return self.epochs // 10 if self.config.no_hardware is None else 0

    def held_out(self, n: int) -> int:
        """How many of ``n`` training images are held out."""
        if self.validation is not None:
            return self.validation
        return VALIDATION.get(self.data, min(MOST_VALIDATION, n // 10))

    def to_json(self) -> dict[str, Any]:
        """All options as JSON types."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**fields, "warmup": self.warms, "config": self.config.to_json()}

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

    @property
    def untaught(self) -> str | None:
        """Why no teacher can be given; None where one can."""
        return "only a reversible BESTformer has a second head"

    def of_teacher(self) -> Self:
        """Options of a run that trains the teacher, where ``teacher`` is 'train'."""
        raise NotImplementedError(f"{type(self).__name__} has no teacher")
