"""Sizes, modes and gradients of the network, and its parts against the formulas."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hw.common.errors import SpikeloomError
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import Bestformer
from sw.nn.binary import BinaryConv1d, BinaryConv2d
from sw.nn.neurons import LIF, lif
from tests.nn.formulas import reference_lif

TINY = BestformerConfig(
    height=8, width=8, embed_dim=16, depth=1, heads=2, mlp_ratio=2, steps=2, classes=3
)


@pytest.mark.parametrize(
    "change",
    [
        {"height": 12, "width": 20},
        {"channels": 3},
        {"classes": 7},
        {"embed_dim": 48, "heads": 3},
        {"depth": 3},
        {"heads": 8},
        {"mlp_ratio": 1},
        {"steps": 5},
        {"variant": "imagenet", "height": 32, "width": 16},
        {"attention": "kv"},
        {"similarity": "xnor"},
        {"similarity": "xnor", "theta": 2.5},
        {"variant": "imagenet", "attention": "kv", "height": 16, "width": 32},
    ],
    ids=str,
)
def test_every_size_and_mode_runs_and_learns(change):
    torch.manual_seed(0)
    config = dataclasses.replace(TINY, **change)
    model = Bestformer(config)
    with torch.no_grad():  # so that every neuron fires
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                module.bias.fill_(1.0)
        for block in model.block:
            block.attn.lambda_attn.fill_(8.0)
    image = (config.channels, config.height, config.width)
    x = model.normalise(torch.randint(0, 256, (6, *image), dtype=torch.uint8))
    trace = {}
    head, head2 = model(x, trace)
    assert head.shape == head2.shape == (6, config.classes)
    t, h, n, d = config.steps, config.heads, config.tokens, config.embed_dim
    assert trace["block.0.attn.q_lif"].shape == (t, 6, d, n)
    side = n if config.attention == "qk" else d // h
    assert trace["block.0.attn.attn_lif0"].shape == (t, 6, h, side, side)
    assert trace["block.0.mlp.mlp2_lif"].shape == (t, 6, config.mlp_ratio * d, *config.grid)
    assert len(trace) == 4 + 8 * config.depth
    assert all(((s == 0) | (s == 1)).all() for s in trace.values())
    F.cross_entropy(head + head2, torch.arange(6) % config.classes).backward()
    silent = [k for k, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_frames_differ_from_a_still_image():
    torch.manual_seed(0)
    model = Bestformer(TINY).eval()
    frames = torch.rand(2, 2, 1, 8, 8)
    trace, still = {}, {}
    with torch.no_grad():
        model.patch_embed(frames, trace)
        model.patch_embed(frames[:, 0], still)
    conv, bn = model.patch_embed.block0_conv, model.patch_embed.block0_bn
    with torch.no_grad():
        currents = torch.stack([bn(conv(frames[:, t])) for t in range(2)])
    first = "patch_embed.block1_lif"
    torch.testing.assert_close(trace[first], lif(currents), rtol=0, atol=0)
    torch.testing.assert_close(trace[first][0], still[first][0], rtol=0, atol=0)


@pytest.mark.parametrize("similarity", ["and", "xnor"])
@pytest.mark.parametrize("order", ["qk", "kv"])
def test_attention_equals_plain_loops(order, similarity):
    if order == "kv" and similarity == "xnor":
        with pytest.raises(SpikeloomError, match=r"similarity is 'xnor'.*use attention 'qk'"):
            dataclasses.replace(TINY, attention=order, similarity=similarity)
        return
    torch.manual_seed(1)
    # N = 6 and d = 8, so that a swap of tokens and channels shows; height is not width.
    theta = 2.5 if similarity == "xnor" else None
    config = dataclasses.replace(
        TINY, height=8, width=12, attention=order, similarity=similarity, theta=theta
    )
    attention = Bestformer(config).block[0].attn.eval()
    with torch.no_grad():
        attention.lambda_attn.uniform_(2.0, 12.0)
        for bn in (attention.q_bn, attention.k_bn, attention.v_bn):
            bn.running_var.fill_(4.0)
            bn.bias.uniform_(-1.0, 4.0)
        trace = {}
        attention(torch.randn(2, 3, 16, 2, 3) * 3, trace)
    q, k, v = (trace[f"attn.{x}_lif"].numpy() for x in "qkv")  # (T, B, D, N)
    d, n = 8, 6
    size = n if order == "qk" else d
    counts = np.zeros((2, 3, 2, size, size), np.float32)
    for t, b, h, i, j in np.ndindex(counts.shape):
        channels = slice(h * d, (h + 1) * d)
        if order == "qk":
            left, right = q[t, b, channels, i], k[t, b, channels, j]
        else:
            left, right = k[t, b, h * d + i], v[t, b, h * d + j]
        counts[t, b, h, i, j] = (left == right).sum() if similarity == "xnor" else left @ right
    bits = reference_lif(counts, theta or 1.0, soft=True)
    np.testing.assert_array_equal(trace["attn.attn_lif0"], bits)
    current = np.zeros_like(q)
    scale = attention.lambda_attn.detach().numpy()
    for t, b, c, m in np.ndindex(current.shape):
        h, i = divmod(c, d)
        if order == "qk":
            total = bits[t, b, h, m] @ v[t, b, c]
        else:
            total = q[t, b, h * d : (h + 1) * d, m] @ bits[t, b, h, :, i]
        current[t, b, c, m] = total * np.float32(0.125) * scale[t, 0, h, 0, 0]
    wanted = reference_lif(current, 0.5, soft=False)
    np.testing.assert_array_equal(trace["attn.attn_lif"], wanted)
    assert 0 < bits.mean() < 1
    assert 0 < wanted.mean() < 1


def test_thresholds_and_resets_are_the_published_ones():
    neurons = {n: m for n, m in Bestformer(TINY).named_modules() if isinstance(m, LIF)}
    assert {n for n, m in neurons.items() if m.soft} == {"block.0.attn.attn_lif0"}
    others = {n: m.theta for n, m in neurons.items() if m.theta != 1}
    assert others == {"block.0.attn.attn_lif": 0.5}
    xnor = dataclasses.replace(TINY, similarity="xnor")
    assert xnor.theta == xnor.map_theta == 16 / 2 / 2 + 1


def test_residual_is_halved_except_before_the_first_block():
    torch.manual_seed(0)
    block = Bestformer(TINY).block[0].eval()
    x0, x1 = torch.randn(2, 2, 3, 16, 2, 2)
    with torch.no_grad():
        x2, x3 = block(None, x1)
        torch.testing.assert_close(x2, block.attn(x1) + x1)
        torch.testing.assert_close(x3, block.mlp(x2) + (x1 + x2) / 2)
        x2, _ = block(x0, x1)
        torch.testing.assert_close(x2, block.attn(x1) + (x0 + x1) / 2)


def test_binary_layers_are_all_but_the_first_convolution_and_the_heads():
    model = Bestformer(dataclasses.replace(TINY, variant="imagenet", height=16, width=16))
    real = [
        n
        for n, m in model.named_modules()
        if hasattr(m, "weight")
        and m.weight.ndim > 1
        and not isinstance(m, BinaryConv1d | BinaryConv2d)
    ]
    assert real == ["patch_embed.proj_conv", "head", "head2"]


def test_input_of_another_shape_is_refused():
    message = r"shape \(2, 3, 8, 8\), wanted \(B, 1, 8, 8\) or \(B, 2, 1, 8, 8\)"
    with pytest.raises(SpikeloomError, match=message):
        Bestformer(TINY)(torch.zeros(2, 3, 8, 8))
