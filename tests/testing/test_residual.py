"""Random networks in the layer order of a Q-SNN: the same again, none silent, every kind."""

import dataclasses

import numpy as np
import pytest

from hw.arch.formats import STATE_MAX
from sw.network import State
from sw.network.storage import save
from sw.testing import random_images, random_residual_network

RESIDUAL = {"widths": (8, 8, 24), "blocks": (1, 2, 1)}
WIDE = {"widths": (8, 72), "blocks": (2, 1), "stem": 7}
STRIDED = {"widths": (8, 16, 24, 40), "halve": (1, 3)}
POOLED = {**STRIDED, "pooled": True}
KINDS = {"residual": RESIDUAL, "wide": WIDE, "strided": STRIDED, "pooled": POOLED}
SMALL = {"height": 11, "width": 14, "channels": 1, "steps": 3, "classes": 4}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_random_networks_fire_and_their_states_matter(kind, bits):
    network = random_residual_network(5, **{**SMALL, **KINDS[kind]}, bits=bits)
    images = random_images(network, 8)
    trace = network.run(images, trace=True).trace
    names = [la.neuron.name for la in network.layers if getattr(la, "neuron", None)]
    rates = {name: trace[name].mean() for name in names}
    assert all(0.03 < rate < 0.9 for rate in rates.values()), rates
    never = State(bits=2, thresholds=np.array([STATE_MAX + 1]), shift=1)
    layers = tuple(
        dataclasses.replace(la, neuron=dataclasses.replace(la.neuron, state=never))
        if getattr(la, "neuron", None)
        else la
        for la in network.layers
    )
    other = network.replace(layers=layers).run(images, trace=True).trace
    assert any((other[name] != trace[name]).any() for name in names)


@pytest.mark.parametrize("kind", KINDS)
def test_random_network_is_a_function_of_its_arguments(tmp_path, kind):
    for name in ("a", "b"):
        save(random_residual_network(7, **{**SMALL, **KINDS[kind]}), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
