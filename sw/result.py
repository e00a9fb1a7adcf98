"""What running a network gives back."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def _short(value: Any) -> str:
    """A value on part of a line: arrays and collections by type and size."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, dict):
        return f"{len(value)} tensors"
    if isinstance(value, tuple) and len(repr(value)) > 60:
        return f"{len(value)} of {type(value[0]).__name__}"
    return repr(value)


@dataclass(frozen=True, kw_only=True, repr=False)
class Result:
    """Logits of a batch, and what was traced on the way.

    Float runs hold float32 logits and ``scale`` 1; integer runs hold int64 logits, and float
    logit = integer logit * ``scale``.
    """

    logits: np.ndarray  #: (B, classes).
    scale: float = 1.0
    trace: dict[str, np.ndarray] = field(default_factory=dict)  #: Tensor name -> array.

    def __repr__(self) -> str:
        names = [f.name for f in dataclasses.fields(self)]
        told = ", ".join(f"{name}={_short(getattr(self, name))}" for name in names)
        return f"{type(self).__name__}({told})"

    @property
    def predictions(self) -> np.ndarray:
        """Most likely class of each image, int64, (B,)."""
        return np.argmax(self.logits, axis=1)
