"""What it costs to freeze the scale of stored membranes."""

from dataclasses import dataclass

import numpy as np

from hw.common.errors import SpikeloomError
from sw.api import FloatNetwork
from sw.graph import LIF

ALPHA_POINTS = 0.2  #: Accuracy that a frozen alpha may cost, in points; or one image.


@dataclass(frozen=True, kw_only=True)
class AlphaRow:
    """Accuracies with one choice of alpha."""

    what: str
    float_accuracy: float  #: 0 to 1.
    integer_accuracy: float | None = None  #: None where alpha depends on the batch.


@dataclass(frozen=True, kw_only=True)
class AlphaTable:
    """What freezing alpha costs; the first row is the authors' way, alpha from each batch."""

    name: str
    images: int
    measured: dict[str, float]  #: Neuron -> alpha measured from data.
    rows: tuple[AlphaRow, ...]

    @property
    def faults(self) -> list[str]:
        """The rows that fall too far below the first, in words."""
        allowed = max(ALPHA_POINTS / 100, 1 / self.images) + 1e-9
        return [
            f"{row.what} costs more than {100 * allowed:.2f} points"
            for row in self.rows[1:]
            for accuracy in (row.float_accuracy, row.integer_accuracy)
            if accuracy is not None and self.rows[0].float_accuracy - accuracy > allowed
        ]

    def text(self) -> str:
        """The table as text."""
        lines = [
            f"{self.name}: scale of stored membranes, {self.images} images",
            f"  {'alpha':28s} {'float':>8s} {'integer':>8s}",
        ]
        for row in self.rows:
            whole = "-" if row.integer_accuracy is None else f"{row.integer_accuracy:.2%}"
            lines.append(f"  {row.what:28s} {row.float_accuracy:8.2%} {whole:>8s}")
        lines += [f"  measured for {name}: {value:.6f}" for name, value in self.measured.items()]
        return "\n".join([*lines, *(f"  NOT MET: {fault}" for fault in self.faults)])


def alpha_table(
    net: FloatNetwork, images: np.ndarray, labels: np.ndarray, calibration: np.ndarray, **formats
) -> AlphaTable:
    """Accuracies with alpha from each batch, of each image, 1, and measured on ``calibration``."""
    if not any(isinstance(node, LIF) and node.state_bits for node in net.nodes):
        raise SpikeloomError(f"{net.name}: no neuron stores a quantised state; leave --alpha out")
    formats = {"size": images.shape[-2:], "per_step": images.ndim == 5, **formats}

    def accuracy(result) -> float:
        return float((result.predictions == labels).mean())

    free = net.with_alpha("batch")
    rows = [
        AlphaRow(what=f"of each {what}", float_accuracy=accuracy(free.run(images, batch=batch)))
        for what, batch in (("batch of 64", 64), ("image", 1))
    ]
    measured = net.measure_alpha(calibration)
    for what, alpha in (("1", 1.0), ("measured", measured)):
        frozen = net.with_alpha(alpha)
        rows.append(
            AlphaRow(
                what=what,
                float_accuracy=accuracy(frozen.run(images)),
                integer_accuracy=accuracy(frozen.lower(**formats).run(images)),
            )
        )
    return AlphaTable(name=net.name, images=len(images), measured=measured, rows=tuple(rows))
