"""Pitfalls of models.md section 8 that concern BESTformer, each by its name, in float."""

import numpy as np
import pytest

import sw
from sw.api import FloatNetwork
from sw.graph import (
    IMAGE,
    LIF,
    Add,
    Apply,
    Average,
    Conv,
    MaxPool,
    MeanTokens,
    Scale,
    Similarity,
    binarise,
)
from tests.frontend.states import make_state

pytest.importorskip("torch")

FIRE = {"tau": 1.0, "theta": 0.5}  #: A neuron that passes white pixels on as spikes.


def network(nodes, *, channels, steps):
    last = MeanTokens(name="mean", source=nodes[-1].name)
    return FloatNetwork(
        name="t",
        nodes=(*nodes, last),
        steps=steps,
        channels=channels,
        classes=1,
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )


def trace(nodes, bits):
    """All tensors of ``nodes`` fed with bits (T, C, H, W) as white pixels."""
    bits = np.asarray(bits, dtype=np.uint8)
    net = network(nodes, channels=bits.shape[1], steps=len(bits))
    got = net.run(bits[None] * np.uint8(255), trace="all").trace
    return {name: tensor[:, 0] for name, tensor in got.items() if tensor.ndim > 2}


def qkv(width):
    """Spikes q, k and v, (width) channels each, picked from the image's channels in this order."""
    nodes = []
    for i, name in enumerate("qkv"):
        weight = np.zeros((width, 3 * width, 1, 1), np.float32)
        weight[range(width), range(i * width, (i + 1) * width)] = 1
        nodes.append(Conv(name=f"{name}_conv", source=IMAGE, weight=weight, binary=False))
        nodes.append(LIF(name=name, source=f"{name}_conv", **FIRE))
    return nodes


def attention(width, heads, order, similarity="and"):
    left, right, operand = ("q", "k", "v") if order == "qk" else ("k", "v", "q")
    kind = {"heads": heads, "order": order}
    return [
        *qkv(width),
        Similarity(name="map", left=left, right=right, similarity=similarity, **kind),
        LIF(name="bits", source="map", theta=1.0, soft=True),
        Apply(name="apply", map="bits", source=operand, **kind),
    ]


def spikes(steps=3, width=4, tokens=5, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (steps, 3 * width, 1, tokens))


def soft_lif(x, theta=1.0):
    v, out = np.zeros(x.shape[1:]), []
    for now in x:
        v = v + (now - v) / 2
        fired = v >= theta
        v = v - theta * fired
        out.append(fired.astype(int))
    return np.stack(out)


def drive(currents, **kind):
    """Spikes (T,) of one neuron driven with ``currents``, one image channel for each step."""
    weight = np.array(currents, np.float32).reshape(1, -1, 1, 1)
    nodes = [
        Conv(name="c", source=IMAGE, weight=weight, binary=False),
        LIF(name="s", source="c", **kind),
    ]
    return trace(nodes, np.eye(len(currents)).reshape(len(currents), -1, 1, 1))["s"].ravel()


def test_greater_or_equal():
    below = float(np.nextafter(np.float32(2), np.float32(0)))
    assert drive([2.0, below]).tolist() == [1, 0]  # v is x / 2 after one step from 0


def test_input_decays_too():
    # 1.5 / 2 = 0.75; then 0.75 + (1.2 - 0.75) / 2 = 0.975; then 0.975 + (1.1 - 0.975) / 2 fires
    assert drive([1.5, 1.2, 1.1]).tolist() == [0, 0, 1]


def test_sign_of_zero():
    assert binarise(np.array([[1.0, 2.0, 3.0]], np.float32)).tolist() == [[-1, 0, 1]]


def test_soft_reset_on_the_attention_neuron_only(tmp_path):
    # 5 / 2 = 2.5 fires, 1.5 is kept: 0.75 + 0.3 fires again; after a hard reset 0.3 does not
    assert drive([5.0, 0.6], soft=True).tolist() == [1, 1]
    assert drive([5.0, 0.6]).tolist() == [1, 0]
    for variant in ("cifar", "imagenet"):
        np.savez(tmp_path / "net.npz", **make_state(variant=variant, depth=2))
        net = sw.load(tmp_path / "net.npz", mean=0, std=1)
        soft = [n.name for n in net.nodes if isinstance(n, LIF) and n.soft]
        assert soft == ["block.0.attn.attn_lif0", "block.1.attn.attn_lif0"]
        halves = [n.name for n in net.nodes if isinstance(n, LIF) and n.theta == 0.5]
        assert halves == ["block.0.attn.attn_lif", "block.1.attn.attn_lif"]


def test_lambda_per_step_and_head():
    gain = np.array([[8.0, -4.0], [0.0, 2.0], [1.0, 16.0]], np.float32)
    nodes = [*attention(4, 2, "qk"), Scale(name="o", source="apply", factor=0.125, gain=gain)]
    got = trace(nodes, spikes())
    assert got["apply"].any(axis=(1, 2)).all()
    want = got["apply"] * (0.125 * np.repeat(gain, 2, axis=1))[:, :, None]
    np.testing.assert_array_equal(got["o"], want)


@pytest.mark.parametrize("similarity", ["and", "xnor"])
def test_attention_order_qk(similarity):
    """A map over tokens, [query, key]; N other than d."""
    bits = spikes(tokens=5)
    q, k, v = (bits[:, 4 * i : 4 * i + 4, 0] for i in range(3))  # (T, C, N)
    got = trace(attention(4, 1, "qk", similarity), bits)
    count = np.einsum("tcn,tcm->tnm", q, k)
    if similarity == "xnor":
        count = (q[:, :, :, None] == k[:, :, None, :]).sum(axis=1)
    np.testing.assert_array_equal(got["map"][:, 0], count)
    want = np.einsum("tnm,tcm->tcn", soft_lif(count), v)
    assert want.any()
    np.testing.assert_array_equal(got["apply"], want)


def test_attention_order_kv():
    """A map over channels, [k channel, v channel], that q reads."""
    bits = spikes(tokens=5)
    q, k, v = (bits[:, 4 * i : 4 * i + 4, 0] for i in range(3))
    got = trace(attention(4, 1, "kv"), bits)
    count = np.einsum("tin,tjn->tij", k, v)
    np.testing.assert_array_equal(got["map"][:, 0], count)
    want = np.einsum("tin,tij->tjn", q, soft_lif(count))
    assert want.any()
    np.testing.assert_array_equal(got["apply"], want)


@pytest.mark.parametrize("order", ["qk", "kv"])
def test_channel_is_head_times_d_plus_i(order):
    """Two heads are two attentions of the first and the second half of the channels."""
    bits = spikes(width=6)
    both = trace(attention(6, 2, order), bits)["apply"]
    for head in range(2):
        rows = [6 * part + 3 * head + i for part in range(3) for i in range(3)]
        one = trace(attention(3, 1, order), bits[:, rows])["apply"]
        assert one.any()
        np.testing.assert_array_equal(both[:, 3 * head : 3 * head + 3], one)


def test_halved_residual(tmp_path):
    """Streams are averaged, branches are added; x0 is absent in the first block."""
    np.savez(tmp_path / "net.npz", **make_state(depth=2))
    net = sw.load(tmp_path / "net.npz", mean=0.4, std=0.3)
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8), dtype=np.uint8)
    got = net.run(images, trace="all").trace
    made = {n.name: n for n in net.nodes}
    sums = [n for n in net.nodes if isinstance(n, Add)]
    assert [n.stream for n in sums] == [
        "patch_embed.block4_bn",
        "block.0.x12",
        "block.1.x01",
        "block.1.x12",
    ]
    for node in sums:
        stream = got[node.stream]
        average = made[node.stream]
        if isinstance(average, Average):
            np.testing.assert_allclose(
                stream, 0.5 * got[average.older] + 0.5 * got[average.newer], atol=1e-6
            )
        np.testing.assert_allclose(got[node.name], got[node.branch] + stream, atol=1e-6)


def test_two_head_average(tmp_path):
    state = make_state()
    state["head.weight"][:], state["head2.weight"][:] = 0, 0
    state["head.bias"][:] = [1, 0, 0, 0, 3]
    state["head2.bias"][:] = [0, 2, 0, 0, -1]
    np.savez(tmp_path / "net.npz", **state)
    net = sw.load(tmp_path / "net.npz", mean=0, std=1)
    got = net.run(np.zeros((1, 8, 8), np.uint8)).logits
    np.testing.assert_array_equal(got, [[0.5, 1, 0, 0, 1]])


def test_pool_of_spikes_is_their_or():
    bits = np.zeros((1, 1, 4, 5), int)
    bits[0, 0, 3, 4] = 1
    nodes = [
        Conv(name="c", source=IMAGE, weight=np.ones((1, 1, 1, 1), np.float32), binary=False),
        LIF(name="s", source="c", **FIRE),
        MaxPool(name="p", source="s"),
    ]
    assert trace(nodes, bits)["p"][0, 0].tolist() == [[0, 0, 0], [0, 0, 1]]


def test_padded_taps_add_nothing():
    """Zero after normalisation, whatever the mean; not a black pixel."""
    weight = np.full((1, 1, 3, 3), 0.5, np.float32)
    nodes = [Conv(name="c", source=IMAGE, weight=weight, binary=False, padding=1)]
    net = network(nodes, channels=1, steps=1)
    net = FloatNetwork(**{**vars(net), "mean": (0.5,), "std": (0.25,)})
    got = net.run(np.zeros((1, 2, 3), np.uint8), trace="all").trace["c"][0, 0, 0]
    np.testing.assert_array_equal(got, [[-4, -6, -4], [-4, -6, -4]])


def test_image_is_repeated_over_steps(tmp_path):
    np.savez(tmp_path / "net.npz", **make_state(steps=3))
    net = sw.load(tmp_path / "net.npz", mean=0.4, std=0.3)
    images = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8), dtype=np.uint8)
    once = net.run(images, trace=True)
    repeated = net.run(np.repeat(images[:, None], 3, axis=1), trace=True)
    for name, want in repeated.trace.items():
        np.testing.assert_array_equal(once.trace[name], want, name)
