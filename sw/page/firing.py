"""Spikes and attention maps of a run, from its memory writes."""

from collections.abc import Sequence

import numpy as np

from sim.interpreter import Run, recover
from sw.compiler.program import Program
from sw.network import AttentionMap, IntegerNetwork
from sw.page.facts import Attention, Spikes


def tensors(program: Program, runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """Return all tensors that runs wrote; those of a stream's runs are steps of one tensor."""
    found = []
    for run in runs:
        assert run.events is not None, "the run was not recorded"
        found.append(recover(program, run.events))
    return {
        name: np.concatenate([each[name] for each in found]) if value.ndim > 1 else value
        for name, value in found[-1].items()
    }


def spikes(program: Program, found: dict[str, np.ndarray]) -> tuple[Spikes, ...]:
    """Return the spikes of each tensor, in the order in which they are made."""
    out: dict[str, Spikes] = {}
    for label in program.labels:
        name = label.pooled or label.tensor
        if label.kind != "spikes" or name not in found or name in out:
            continue
        bits = found[name]  # (T, C, H, W)
        height, width = bits.shape[2:]
        flat = bits.reshape(*bits.shape[:2], -1)
        out[name] = Spikes(name=name, layer=label.layer, bits=flat, sides=(height, width))
    return tuple(out.values())


def attention(
    program: Program, found: dict[str, np.ndarray], network: IntegerNetwork | None = None
) -> tuple[Attention, ...]:
    """Return the attention maps, in the order in which they are made.

    Where a head has as many channels as there are tokens, only ``network`` tells what they are of.
    """
    layers = network.layers if network else ()
    orders = {each.neuron.name: each.order for each in layers if isinstance(each, AttentionMap)}
    sides = {label.tensor: label.shape[1:] for label in program.labels if label.kind == "spikes"}
    out: dict[str, Attention] = {}
    for n, label in enumerate(program.labels):
        if label.kind != "map" or label.tensor not in found or label.tensor in out:
            continue
        maps = found[label.tensor]  # (T, H, rows, columns)
        # a map of tokens is followed by the layer that applies it, which has their sides
        after = [later for later in program.labels[n + 1 :] if later.kind == "spikes"]
        grid = tuple(sides[after[0].tensor]) if after else ()
        of_tokens = bool(grid) and int(np.prod(grid)) == maps.shape[-1]
        if of_tokens and after[0].head_width == maps.shape[-1]:
            of_tokens = orders.get(label.tensor) == "qk"
        out[label.tensor] = Attention(
            name=label.tensor, layer=label.layer, maps=maps, grid=grid if of_tokens else ()
        )
    return tuple(out.values())
