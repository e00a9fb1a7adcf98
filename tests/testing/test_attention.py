"""Random networks in the layer order of a BESTformer: the same again, and none is silent."""

import numpy as np

from sw.network.storage import save
from sw.testing import random_images, random_network
from tests import networks

SMALL = networks.SMALL | {"width": 12, "steps": 3, "classes": 4}


def test_random_networks_fire():
    network = random_network(5, **{**SMALL, "dim": 64, "height": 16, "width": 16})
    trace = network.run(random_images(network, 8), trace=True).trace
    rates = {k: v.mean() for k, v in trace.items() if v.dtype == np.uint8 and k.endswith("_lif")}
    assert all(0.01 < rate < 0.6 for rate in rates.values()), rates


def test_random_network_is_a_function_of_its_arguments(tmp_path):
    for name in ("a", "b"):
        save(random_network(7, **SMALL), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
