"""What a program tells of itself: labels of instructions, regions of memories, cycles."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Label:
    """What an instruction is, for people and for error messages.

    ``shape`` is the written spike tensor's (C, H, W), or (heads, left, right) for a map, or (C,)
    for features and logits; ``head_width`` the channels of a head where the instruction runs over
    heads (0: it does not); ``transposed``: the map is written transposed; ``pitch``: features of
    single tokens, tokens per image row in residual memory (0: features are sums over tokens);
    ``first``: the instruction's first channel, where several make a tensor; ``pooled``: the tensor
    that is written in place of ``tensor``, maxima of 3x3 windows of it at stride 2; ``mean``: the
    one that is summed, of ``residual`` or ``tensor``.
    """

    layer: str
    op: str
    tensor: str = ""
    residual: str = ""
    kind: str = ""  #: "spikes", "map" or "values".
    shape: tuple[int, ...] = ()
    head_width: int = 0
    transposed: bool = False
    pitch: int = 0
    first: int = 0
    pooled: str = ""
    mean: str = ""


@dataclass(frozen=True, kw_only=True)
class Region:
    """Addresses ``base`` to ``base + size - 1`` of each bank of ``memory``."""

    name: str
    memory: str  #: "row", "col", "res", "pix" or "prog".
    base: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Cycles of one instruction."""

    layer: str
    op: str
    cycles: int


def by_layer(parts: Sequence[Label | Forecast], cycles: Sequence[int]) -> dict[str, int]:
    """Return the sum of each layer's ``cycles``, of one number for each part, in their order."""
    out: dict[str, int] = {}
    for part, spent in zip(parts, cycles, strict=True):
        out[part.layer] = out.get(part.layer, 0) + spent
    return out
