"""NIR graphs of convolutions, linear layers and IF or LIF neurons to the float graph."""

import pathlib
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from hw.arch.formats import MAX_STEPS
from hw.common.errors import SpikeloomError
from sw.families.family import Family
from sw.families.settings import Settings, missing_normalisation, per_channel, told_states
from sw.frontend.nir.file import MARK, NIRFile, NIRNode
from sw.frontend.nir.layers import Layers
from sw.frontend.nir.structure import Structure
from sw.graph import LIF, FloatNetwork


def written(file: NIRFile) -> dict:
    """Settings that ``sw.nir.save`` wrote into the file."""
    keys = ("name", "steps", "dt", "mean", "std")
    return {k: file.metadata[k] for k in keys if MARK in file.metadata and k in file.metadata}


def read(
    path: pathlib.Path, file: NIRFile, settings: Settings, *, name: str, meta: dict
) -> FloatNetwork:
    """Float graph of a NIR file; every node, edge and shape is checked first."""
    structure = Structure(file)
    graph = Layers(structure, settings.dt)
    wrong = structure.faults()
    if not wrong:
        graph.build()
    if faults := [*file.faults, *wrong, *graph.faults]:
        raise SpikeloomError(
            f"{path}: not a network that can be read: {'; '.join(faults)}; write the graph "
            "without these"
        )
    channels, height, width = graph.image
    _ask(path, settings, channels, [n for n in file.nodes.values() if n.kind in ("IF", "LIF")])
    assert settings.steps is not None
    if settings.image_size not in (None, (height, width)):
        raise SpikeloomError(
            f"{path}: its Input is {height}x{width}, image_size says {settings.image_size}; "
            "leave image_size out"
        )
    mean = per_channel(path, "mean", settings.mean, 0.0, channels)
    std = per_channel(path, "std", settings.std, 1.0, channels)
    if graph.real:
        warnings.warn(
            f"{path.name}: real-valued between neurons, which runs in float and cannot be "
            f"lowered: {'; '.join(f'{k}: {v}' for k, v in graph.real.items())}",
            stacklevel=3,
        )
    meta = {**meta, "nir": file.version, "real_layers": len(graph.real)}
    if settings.dt is not None:
        meta["dt"] = settings.dt
    if bits := sorted({n.state_bits for n in graph.nodes if isinstance(n, LIF) and n.state_bits}):
        meta["state_bits"] = bits
    nodes = graph.nodes
    if settings.membrane_bits is not None:
        meta["membrane_bits"] = bits = settings.membrane_bits
        nodes = [replace(n, state_bits=bits) if isinstance(n, LIF) else n for n in nodes]
    net = FloatNetwork(
        name=name,
        nodes=tuple(nodes),
        steps=settings.steps,
        channels=channels,
        classes=graph.classes,
        mean=mean,
        std=std,
        size=(height, width),
        meta=meta,
    )
    return net if settings.alpha is None else net.with_alpha(settings.alpha)


def _told(net: FloatNetwork) -> dict[str, Any]:
    """What ``sw.load`` must be told of stored membranes, where it was, and of the step."""
    fields = told_states(net) if "membrane_bits" in net.meta else {}
    return {**fields, **({"dt": net.meta["dt"]} if "dt" in net.meta else {})}


#: Known by their file's suffix, not by keys, so they stand in no table of checkpoints' families.
NIR = Family(
    name="nir",
    title="NIR graph",
    keys="",
    settings=("steps", "dt", "membrane_bits", "alpha", "mean", "std", "image_size"),
    recognises=lambda state: False,
    read=read,
    told=_told,
)


def _ask(path: pathlib.Path, settings: Settings, channels: int, neurons: list[NIRNode]) -> None:
    """Refuse settings that nothing tells, all at once, with what they may be."""
    wanted = []
    if settings.steps is None:
        wanted.append("steps= (time steps T, 1 to 16)")
    elif settings.steps > MAX_STEPS:
        raise SpikeloomError(
            f"{path}: steps is {settings.steps}, wanted 1 to {MAX_STEPS}; give fewer steps"
        )
    if settings.dt is None and neurons:
        taus = sorted({float(np.max(n.fields["tau"])) for n in neurons if "tau" in n.fields})
        some = f"; the file's tau is {', '.join(f'{t:g}' for t in taus[:4])}" if taus else ""
        wanted.append(
            f"dt= (length of a step in the unit of tau; many tools take 0.0001 or 0.001{some}, "
            "and membranes halve at dt = tau / 2)"
        )
    wanted += missing_normalisation(settings, channels)
    if wanted:
        raise SpikeloomError(
            f"{path}: neither the file nor a JSON file beside it tells what the network needs; "
            f"give {'; '.join(wanted)}"
        )
