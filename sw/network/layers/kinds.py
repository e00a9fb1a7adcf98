"""The table of layer kinds, and its check."""

import dataclasses

from hw.common.errors import SpikeloomError
from sw.network.layers.attention_apply import AttentionApply
from sw.network.layers.attention_map import AttentionMap
from sw.network.layers.base import LaneLayer, Layer
from sw.network.layers.binary import BinaryLayer
from sw.network.layers.head import Head
from sw.network.layers.mean import Mean
from sw.network.layers.pixel import PixelConv
from sw.network.layers.pool import SpikePool

#: All layer kinds.
KINDS: tuple[type[Layer], ...] = (
    PixelConv,
    BinaryLayer,
    SpikePool,
    AttentionMap,
    AttentionApply,
    Mean,
    Head,
)

_STATED = ("reads", "shapes", "bounds", "golden")  # of every kind
_LANE = ("sums", "largest_sum")  # of those whose golden function or bounds are LaneLayer's


def layer_kinds() -> dict[type[Layer], str]:
    """Return the kinds of KINDS with their names; SpikeloomError names a wrong entry."""
    found: dict[type[Layer], str] = {}
    for kind in KINDS:
        name = getattr(kind, "__name__", repr(kind))
        if not isinstance(kind, type) or not issubclass(kind, Layer):
            raise SpikeloomError(f"layer kind {name}: is no Layer; derive it from Layer")
        if kind.__dict__.get("__dataclass_fields__") is None or not dataclasses.is_dataclass(kind):
            raise SpikeloomError(f"layer kind {name}: is no dataclass; files hold fields")
        if name in found.values():
            raise SpikeloomError(f"layer kind {name}: is in the table twice; give one another name")
        lacks = [what for what in _STATED if getattr(kind, what) is getattr(Layer, what)]
        if issubclass(kind, LaneLayer) and kind.golden is LaneLayer.golden:
            lacks += [what for what in _LANE if getattr(kind, what) is getattr(LaneLayer, what)]
        if lacks:
            raise SpikeloomError(f"layer kind {name}: has no {', '.join(lacks)}; state it")
        found[kind] = name
    return found
