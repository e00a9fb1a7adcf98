"""Layouts and addresses of tensors."""

import itertools

import pytest

from hw.arch.config import Config
from sw.compiler import compile_network, fit_config
from sw.testing import random_network


@pytest.mark.parametrize("config", [Config(), Config(rows=8), Config(rows=8, cols=8, width=64)])
def test_regions_that_live_at_once_do_not_overlap(config, small):
    net = random_network(1, **small | {"depth": 3, "dim": 32, "height": 16})
    program = compile_network(net, fit_config(net, config))
    made, last = {}, {}
    for n, layer in enumerate(net.layers):
        for name in (getattr(getattr(layer, "neuron", None), "name", None), layer.name):
            made.setdefault(name, n)
        for field in ("source", "left", "right", "map"):
            last[getattr(layer, field, None)] = n
    for memory in ("row", "col"):
        regions = [r for r in program.regions if r.memory == memory]
        for a, b in itertools.combinations(regions, 2):
            apart = a.base + a.size <= b.base or b.base + b.size <= a.base
            if "constants" in (a.name, b.name):
                assert apart
            elif made[a.name] <= last[b.name] and made[b.name] <= last[a.name]:
                assert apart, (a, b)
