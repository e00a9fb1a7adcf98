"""Random networks over the whole range of the instruction fields, on RTL, write by write."""

import pytest

from sw.compiler import compile_network, fit_config
from sw.testing import random_images, random_wide_network
from tests.cocotb.inference import CONFIGS, R16, check_free

CORES = {"r8c16w32": CONFIGS["arty_a7_100"], "r8c8w64": CONFIGS["r8c8w64"], "r16c16w64": R16}
EACH = 16


@pytest.mark.parametrize("core", CORES)
def test_rtl_equals_golden_model(core):
    """Networks that the core as it stands holds; one simulator runs them all."""
    config, seed, done = CORES[core], 0, 0
    while done < EACH:
        network = random_wide_network(seed)
        seed += 1
        if fit_config(network, config) != config:
            continue
        program = compile_network(network, config)
        images = random_images(network, 2 if network.stream else 1, seed)
        check_free(network, program, images)
        done += 1
