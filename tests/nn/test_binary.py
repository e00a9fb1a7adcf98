"""Binary weights: their signs, their gradient, and compact ones of the same signs."""

import numpy as np
import pytest
import torch

from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import Bestformer
from sw.nn.binary import (
    BinaryConv1d,
    BinaryConv2d,
    binarise,
    centred,
    compact_weights,
    zero_weights,
)

TINY = BestformerConfig(
    height=8, width=8, embed_dim=16, depth=1, heads=2, mlp_ratio=2, steps=2, classes=3
)


def test_binary_weights_are_signs_less_the_filters_mean():
    weight = torch.tensor([[[0.1], [0.2], [0.6]], [[-3.0], [-2.0], [-1.0]]], requires_grad=True)
    signs = binarise(weight)
    assert signs.flatten().tolist() == [-1, -1, 1, -1, 0, 1]
    (signs * torch.tensor([[[1.0], [2.0], [3.0]], [[1.0], [2.0], [3.0]]])).sum().backward()
    # Straight through, then through the subtraction of the mean.
    assert weight.grad.flatten().tolist() == pytest.approx([-1, 0, 1, -1, 0, 1])


def test_zero_weights_are_counted_by_layer():
    model = Bestformer(TINY)
    assert zero_weights(model) == {}
    with torch.no_grad():
        model.block[0].attn.q_conv.weight[3] = 0.25
    assert zero_weights(model) == {"block.0.attn.q_conv": 16}


def test_compact_weights_binarise_to_the_same_or_are_not_made():
    generator = torch.Generator().manual_seed(0)
    for shape in ((40, 3, 3, 3), (7, 2, 1), (5, 512, 1, 1)):
        weight = torch.randn(shape, generator=generator)
        compact = compact_weights(weight)
        assert compact.dtype == torch.int8
        assert torch.equal(binarise(compact.float()), binarise(weight))
    assert compact_weights(torch.tensor([[[1.0], [2.0], [3.0]]])) is None  # a sign of zero
    assert compact_weights(torch.ones(1, 4, 1)) is None


def test_gradients_stop_where_a_weight_is_far_from_the_mean():
    weight = torch.tensor([[-3.0, -1.0, 0.0, 1.0, 3.0]], requires_grad=True)
    binarise(weight).backward(torch.tensor([[8.0, 1.0, 2.0, 4.0, 16.0]]))
    # those within 1 of the mean pass, then the mean of what passed is taken off
    torch.testing.assert_close(weight.grad, torch.tensor([[-1.4, -0.4, 0.6, 2.6, -1.4]]))


def test_weights_are_centred_by_filter():
    weight = torch.tensor([[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 4.0]]])
    assert centred(weight).tolist() == [[[-2, -1], [0, 3]], [[-1, -1], [-1, 3]]]


@pytest.mark.parametrize("binary", [True, False])
def test_convolution_over_tokens(binary):
    torch.manual_seed(0)
    layer = BinaryConv1d(3, 4, binary=binary)
    assert (layer.weight.shape, layer.bias) == ((4, 3, 1), None)
    x = torch.randint(0, 2, (2, 5, 6, 3)).float()
    w = layer.weight.detach()[..., 0]
    w = torch.sign(w - w.mean(1, keepdim=True)) if binary else w
    torch.testing.assert_close(layer(x), x @ w.T, rtol=0, atol=0 if binary else 1e-6)


@pytest.mark.parametrize("kernel", [1, 3])
def test_convolution_of_images_keeps_their_size(kernel):
    torch.manual_seed(0)
    layer = BinaryConv2d(2, 3, kernel)
    x = torch.randint(0, 2, (1, 2, 4, 5)).float()
    w = layer.weight.detach()
    w = torch.sign(w - w.mean((1, 2, 3), keepdim=True))
    want, reach = torch.zeros(1, 3, 4, 5), kernel // 2
    for o, r, c, i, a, b in np.ndindex(3, 4, 5, 2, kernel, kernel):
        y, z = r + a - reach, c + b - reach
        if 0 <= y < 4 and 0 <= z < 5:
            want[0, o, r, c] += x[0, i, y, z] * w[o, i, a, b]
    assert torch.equal(layer(x), want)
    assert layer.scale_and_offset() == (1.0, 0.0)
    compact = layer.compact_weight()
    assert compact is not None
    assert torch.equal(compact.float(), w)


def test_layers_of_real_weights_have_no_zeros_to_count():
    layers = torch.nn.ModuleDict({"a": BinaryConv1d(2, 1), "b": BinaryConv1d(2, 1, binary=False)})
    with torch.no_grad():
        for layer in layers.values():
            layer.weight.fill_(0.5)
    assert zero_weights(layers) == {"a": 2}
