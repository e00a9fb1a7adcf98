"""What random networks leave out, on RTL, write by write: full counts, broad images, many tokens.

Each is here because faults put into the RTL (``python -m benchmarks.mutants``) survived without.
"""

import pytest

from benchmarks.mutation.networks import corners
from sw.compiler import compile_network, fit_config
from sw.testing import random_images
from tests.cocotb.inference import CONFIGS, check_free

NETWORKS = dict(corners())


@pytest.mark.parametrize("name", NETWORKS)
def test_rtl_equals_golden_model(name):
    """All of them fit the core of the Arty A7-35T, whose simulator other tests compile too."""
    network, config = NETWORKS[name], CONFIGS["arty_a7"]
    assert fit_config(network, config) == config
    check_free(network, compile_network(network, config), random_images(network, 2, 1))
