"""What running a network gives back."""

from dataclasses import dataclass, field

import numpy as np

from hw.common.show import Shown


@dataclass(frozen=True, kw_only=True)
class Result(Shown):
    """Logits of a batch, and what was traced on the way.

    Float runs hold float32 logits and ``scale`` 1; integer runs hold int64 logits, and float
    logit = integer logit * ``scale``.
    """

    logits: np.ndarray  #: (B, classes).
    scale: float = 1.0
    trace: dict[str, np.ndarray] = field(default_factory=dict)  #: Tensor name -> array.

    @property
    def predictions(self) -> np.ndarray:
        """Most likely class of each image, int64, (B,)."""
        return np.argmax(self.logits, axis=1)
