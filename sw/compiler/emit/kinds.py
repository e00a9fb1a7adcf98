"""The table of emissions, one for each layer kind, and its check."""

from typing import Any

from hw.common.errors import SpikeloomError
from sw.compiler.emit.attention_apply import ApplyEmission
from sw.compiler.emit.attention_map import MapEmission
from sw.compiler.emit.base import AnyEmission, Emission
from sw.compiler.emit.binary import BinaryEmission
from sw.compiler.emit.head import HeadEmission
from sw.compiler.emit.mean import MeanEmission
from sw.compiler.emit.pixel import PixelEmission
from sw.compiler.emit.pool import PoolEmission
from sw.network import Layer
from sw.network.layers import layer_kinds

#: How each layer kind is compiled.
EMISSIONS: tuple[AnyEmission, ...] = (
    PixelEmission(),
    BinaryEmission(),
    PoolEmission(),
    MapEmission(),
    ApplyEmission(),
    MeanEmission(),
    HeadEmission(),
)


def emissions() -> dict[type[Layer], Emission[Any]]:
    """Return EMISSIONS by layer kind; SpikeloomError names a wrong or missing entry."""
    kinds = layer_kinds()
    found: dict[type[Layer], Emission[Any]] = {}
    for emission in EMISSIONS:
        name = type(emission).__name__
        kind = getattr(emission, "layer", None)
        if not isinstance(emission, Emission) or kind not in kinds:
            raise SpikeloomError(f"emission {name}: its layer {kind!r} is no layer kind of KINDS")
        if kind in found:
            raise SpikeloomError(
                f"emission {name}: layer kind {kinds[kind]} has another emission, "
                f"{type(found[kind]).__name__}; leave one out"
            )
        if type(emission).emit is Emission.emit:
            raise SpikeloomError(f"emission {name}: has no emit; state how {kinds[kind]} runs")
        found[kind] = emission
    for kind, name in kinds.items():
        if kind not in found:
            raise SpikeloomError(f"layer kind {name}: has no emission; add one to EMISSIONS")
    return found
