"""BESTformer state dicts: the graph that is made of them, and every fault of theirs."""

import numpy as np
import pytest

import sw
from sw.families.bestformer.reader import recognises, told
from sw.graph import Add, Average, MaxPool, MeanTokens
from tests.frontend.checkpoints import NORM, logits, refuse, write
from tests.frontend.states import make_state


def test_int8_binary_weights(tmp_path):
    """Our own files hold -1/+1; the filter's mean does not change their signs."""
    state = make_state()
    packed = dict(state)
    for key, value in state.items():
        if key.endswith("_conv.weight") and "block0" not in key:
            flat = value.reshape(len(value), -1)
            sign = np.sign(flat - flat.mean(axis=1, keepdims=True))
            packed[key] = sign.reshape(value.shape).astype(np.int8)
    side = {"model": "bestformer", "attention": "qk", "height": 8, "width": 8, **NORM}
    path = write(tmp_path, packed, "net.safetensors", side)
    net = sw.load(path)
    assert net.size == (8, 8)
    want = logits(sw.load(write(tmp_path, state), **NORM))
    np.testing.assert_array_equal(logits(net), want)


def test_all_missing_unexpected_and_misshaped_keys_in_one_message(tmp_path):
    state = make_state()
    del state["block.0.attn.k_conv.weight"], state["head2.bias"]
    state["extra.weight"] = np.ones(3, dtype=np.float32)
    state["block.0.mlp.mlp1_bn.bias"] = np.ones(3, dtype=np.float32)
    message = refuse(write(tmp_path, state), "missing block.0.attn.k_conv.weight")
    for part in ("missing head2.bias", "unexpected extra.weight", "mlp1_bn.bias is \\(3,\\)"):
        assert part.replace("\\", "") in message


def test_wild_numbers_in_keys(tmp_path):
    state = {**make_state(), "block.999999999.attn.q_bn.bias": np.ones(16, np.float32)}
    assert "unexpected block.999999999.attn.q_bn.bias" in refuse(write(tmp_path, state), "missing")


def test_filters_of_equal_weights_are_refused_by_name(tmp_path):
    state = make_state()
    state["block.0.attn.v_conv.weight"][5] = 0.25
    refuse(write(tmp_path, state), "v_conv.weight: all weights of output channel 5 are equal")


def test_negative_variance_is_refused(tmp_path):
    state = make_state()
    state["patch_embed.block2_bn.running_var"][1] = -1
    refuse(write(tmp_path, state), "negative variance")


@pytest.mark.parametrize(
    ("options", "want"),
    [
        ({}, {"attention": "qk", "similarity": "and", "map_theta": 1.0}),
        ({"attention": "kv"}, {"attention": "kv", "similarity": "and", "map_theta": 1.0}),
        ({"similarity": "xnor"}, {"attention": "qk", "similarity": "xnor", "map_theta": 5.0}),
        (
            {"similarity": "xnor", "map_theta": 2.5},
            {"attention": "qk", "similarity": "xnor", "map_theta": 2.5},
        ),
    ],
    ids=["qk", "kv", "xnor", "theta"],
)
def test_what_a_graph_must_be_told_is_told_back(tmp_path, options, want):
    net = sw.load(write(tmp_path, make_state()), **NORM, **options)  # two heads of 8 channels
    assert told(net) == want
    assert {k: net.meta[k] for k in ("attention", "similarity")}.items() <= want.items()


@pytest.mark.parametrize(("variant", "order"), [("cifar", "qk"), ("imagenet", "kv")])
def test_the_order_is_that_of_the_variant(tmp_path, variant, order):
    state = make_state(variant=variant)
    assert recognises(state)
    net = sw.load(write(tmp_path, state), **NORM)
    assert (net.meta["variant"], net.meta["attention"]) == (variant, order)
    pools = [n.name for n in net.nodes if isinstance(n, MaxPool)]
    assert len(pools) == {"cifar": 2, "imagenet": 4}[variant]


def test_other_names_are_not_recognised():
    assert not recognises({"conv1.weight": np.ones(1), "block.0.attn.q_conv.weight": np.ones(1)})


def test_streams_are_coupled_from_the_second_block_on(tmp_path):
    net = sw.load(write(tmp_path, make_state(depth=2)), **NORM)
    adds = {n.name: n.stream for n in net.nodes if isinstance(n, Add)}
    means = {n.name: (n.older, n.newer) for n in net.nodes if isinstance(n, Average)}
    first = next(n.source for n in net.nodes if n.name == "block.0.attn.proj_lif")
    assert adds == {
        "block.0.x2": first,
        "block.0.x3": "block.0.x12",
        "block.1.x2": "block.1.x01",
        "block.1.x3": "block.1.x12",
    }
    assert means == {
        "block.0.x12": (first, "block.0.x2"),
        "block.1.x01": ("block.0.x2", "block.0.x3"),
        "block.1.x12": ("block.0.x3", "block.1.x2"),
    }
    heads = {n.name: n.source for n in net.nodes if isinstance(n, MeanTokens)}
    assert heads == {"head.mean": "block.1.x2", "head2.mean": "block.1.x3"}
