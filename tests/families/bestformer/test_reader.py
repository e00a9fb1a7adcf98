"""BESTformer state dicts: the graph that is made of them, and every fault of theirs."""

import numpy as np

import sw
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
