"""What a page shows, as data: gathered once, drawn by nobody here."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Kinds of layers and tensors, in the order of a legend: name and what it stands for.
KINDS = {
    "pixels": "pixels and head",
    "binary": "binary layer",
    "attention": "attention",
    "other": "pools, means, tables",
}
HOLDS = {
    "constants": "program and constants",
    "image": "image",
    "spikes": "spikes",
    "map": "attention map",
    "residual": "residual",
    "values": "features and logits",
}


@dataclass(frozen=True, kw_only=True)
class Span:
    """A layer's part of the run: instructions of it that follow each other.

    ``array``: cycles in which a word is issued to the array. ``lanes``: those in which lane 0
    takes a sum of the array, multiplies a pixel or adds up a mean. ``ops``: binary operations, of
    true sizes. ``bound``: cycles that they would take at the array's peak, rounded up.
    """

    layer: str
    kind: str  #: Of KINDS.
    begin: int
    cycles: int
    array: int
    lanes: int
    stalls: int
    ops: int
    bound: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """Cycles of one image, its table kept from the one before."""

    total: int
    spans: tuple[Span, ...]
    array: np.ndarray  #: uint8 (cycles,): a word is issued to the array.
    lanes: np.ndarray  #: uint8 (cycles,): lane 0 is at work.
    peak: int  #: Binary operations a cycle.


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """What lies in a memory from ``begin`` to ``end``, cycles of the run."""

    name: str
    kind: str  #: Of HOLDS.
    base: int
    size: int
    begin: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A memory and its tenants."""

    name: str
    title: str
    banks: int
    width: int
    depth: int
    tenants: tuple[Tenant, ...]

    @property
    def used(self) -> int:
        """Words of each bank up to the last one in use."""
        return max((t.base + t.size for t in self.tenants), default=0)


@dataclass(frozen=True, kw_only=True)
class Access:
    """Words that a layer moves: reads that happen, those gated, writes."""

    layer: str
    memory: str
    reads: int = 0
    gated: int = 0
    writes: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Spikes:
    """Spikes of one tensor in the run."""

    name: str
    layer: str
    bits: np.ndarray  #: uint8 (T, C, tokens).
    sides: tuple[int, int]  #: Of the image that the tokens are: height, width.

    @property
    def rates(self) -> list[float]:
        """Share of neurons that fire, step by step."""
        return self.bits.mean(axis=(1, 2)).tolist()

    @property
    def counts(self) -> list[int]:
        """Spikes of each step."""
        return self.bits.sum(axis=(1, 2), dtype=np.int64).tolist()


@dataclass(frozen=True, kw_only=True, eq=False)
class Attention:
    """Binary attention maps of one layer.

    Rows are queries and columns keys, or channels of k and of v where ``grid`` is empty; else it
    has height and width of the image that the tokens are.
    """

    name: str
    layer: str
    maps: np.ndarray  #: uint8 (T, H, rows, columns).
    grid: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """The image that the run saw, and what came of it."""

    name: str
    pixels: np.ndarray  #: uint8 (..., C, H, W).
    label: int | None
    logits: np.ndarray  #: int64 (classes,).
    scale: float
    note: str = ""  #: Why it is this one, if it is not an image of the network's own data set.

    @property
    def prediction(self) -> int:
        """Most likely class."""
        return int(np.argmax(self.logits))


@dataclass(frozen=True, kw_only=True, eq=False)
class Confusion:
    """Labels against predictions of many images."""

    data: str
    counts: np.ndarray  #: int64 (classes, classes): [label, prediction].

    @property
    def images(self) -> int:
        """How many there were."""
        return int(self.counts.sum())

    @property
    def right(self) -> int:
        """How many were read right."""
        return int(np.trace(self.counts))


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """What a simulation on RTL compared."""

    cycles: tuple[int, ...]
    writes: int
    compared: tuple[str, ...]
    mismatches: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """Everything that a page tells; a part that is None or empty is told how to be had."""

    name: str
    core: dict[str, Any]
    steps: int
    stream: bool
    digest: int
    program_words: int
    first_cycles: int  #: Of the first run, which loads the table.
    timeline: Timeline
    memories: tuple[Memory, ...]
    accesses: tuple[Access, ...]
    spikes: tuple[Spikes, ...]
    attention: tuple[Attention, ...]
    sample: Sample
    exact: bool  #: A tensor's time in memory ends with its last reader, which the network tells.
    confusion: Confusion | None = None
    report: dict[str, Any] = field(default_factory=dict)  #: report.json of a build, or nothing.
    titles: dict[str, str] = field(default_factory=dict)  #: Of the resources in it.
    checked: Checked | None = None
