"""Random networks in the layer order of a BESTformer: the same again, and none is silent."""

import numpy as np
import pytest

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


def test_layers_are_in_the_order_of_lowering():
    names = [layer.name for layer in random_network(1, **SMALL | {"depth": 2}).layers]
    stem = [f"patch_embed.block{n}_{what}" for n in range(5) for what in ("pool", "conv")]
    stem = [name for name in stem if "pool" not in name or name[17] in "34"]
    block = [
        *("attn.q_conv", "attn.k_conv", "attn.v_conv", "attn.map", "attn.apply"),
        *("attn.proj_conv", "mlp.mlp1_conv", "mlp.mlp2_conv"),
    ]
    blocks = [f"block.{n}.{name}" for n in (0, 1) for name in block]
    assert names == [*stem, *blocks, "head.mean", "head2.mean", "logits"]


@pytest.mark.parametrize(("variant", "pools"), [("cifar", 2), ("imagenet", 4)])
def test_tokenizers_pool(variant, pools):
    network = random_network(1, **SMALL | {"variant": variant, "height": 32, "width": 32})
    names = [layer.name for layer in network.layers]
    assert sum(name.endswith("_pool") for name in names) == pools
    tokens = network.run(random_images(network, 1), trace=True).trace["block.0.attn.q_lif"]
    assert tokens.shape[3] == (32 >> pools) ** 2
    assert (network.meta, network.name) == ({"seed": 1}, "random1")


def test_wide_thresholds_reach_beyond_the_usual():
    """Usual ones are the powers of two from 2**8 to 2**12."""
    for wide, beyond in ((False, False), (True, True)):
        made = (random_network(seed, **SMALL, wide=wide) for seed in range(8))
        thetas = {
            layer.neuron.theta
            for network in made
            for layer in network.layers
            if layer.name.endswith(".q_conv")
        }
        assert (max(thetas) > 1 << 12) == beyond
        assert all(theta & (theta - 1) == 0 for theta in thetas) != beyond
