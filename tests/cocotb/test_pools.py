"""Pools in write-back on RTL: every write, logits and cycles of networks full of pools."""

import dataclasses

import pytest

from hw.arch import Config
from sw.compiler import compile_network
from sw.testing import random_images
from tests.cocotb.inference import CONFIGS, check_free
from tests.pooled import KINDS, pooled_network

SIDES = [(9, 13), (8, 6), (1, 5)]
CORES = {
    "r4": CONFIGS["arty_a7"],
    "r8": CONFIGS["arty_a7_100"],
    "none": dataclasses.replace(CONFIGS["r4c8w32"], pool_depth=0),
}


@pytest.mark.parametrize("core", CORES)
def test_pools_on_rtl(core):
    config: Config = CORES[core]
    for seed, kind in enumerate(KINDS):
        for side in SIDES:
            network = pooled_network(seed, side=side, **KINDS[kind])
            program = compile_network(network, config)
            fused = sum(bool(label.pooled) for label in program.labels)
            assert fused == (config.pool_depth and 3 + (kind != "another reader"))
            check_free(network, program, random_images(network, 2))
