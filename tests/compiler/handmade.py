"""Programs written by hand, field by field: what prints a program is tested on them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hw.arch import isa
from hw.arch.config import Config
from hw.arch.isa import Op
from sw.compiler import Forecast, Label, Program
from sw.compiler.program import VERSION


@dataclass(frozen=True)
class Line:
    """One instruction: its fields, the label's and the cycles of its forecast.

    ``table``: the words that follow a TABLE.
    """

    op: Op
    fields: dict[str, int] = field(default_factory=dict)
    label: dict = field(default_factory=dict)
    cycles: int = 1
    table: tuple[int, ...] = ()

    @property
    def words(self) -> list[int]:
        """The instruction's words, and the table's."""
        fields = dict.fromkeys((f"n_{level}" for level in isa.LEVELS), 1) | self.fields
        if self.op == Op.TABLE:
            fields["n_k"] = len(self.table)
        return [*isa.encode(self.op, **fields), *self.table]


def handmade(lines: Sequence[Line], **changes) -> Program:
    """Return a program of ``lines`` and a HALT of 1 cycle; ``changes`` are members of it."""
    lines = [*lines, Line(Op.HALT, label={"layer": "(end)"})]
    labels = [Label(**{"layer": "fc", "op": line.op.name} | line.label) for line in lines]
    config = changes.pop("config", Config())
    program = Program(
        name="hand",
        config=config,
        digest=config.digest,
        version=VERSION,
        words=np.array([w for line in lines for w in line.words], np.uint32),
        columns=np.zeros((config.cols, 0, config.width // 32), np.uint32),
        steps=2,
        input_shape=(1, 1, 1),
        image_memory="pix",
        image_base=0,
        logits_base=1,
        classes=2,
        logits_scale=1.0,
        labels=tuple(labels),
        forecast=tuple(
            Forecast(layer=label.layer, op=label.op, cycles=line.cycles)
            for line, label in zip(lines, labels, strict=True)
        ),
        regions=(),
        ops=(),
    )
    return dataclasses.replace(program, **changes)
