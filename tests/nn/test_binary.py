"""Binary weights: their signs, their gradient, and compact ones of the same signs."""

import pytest
import torch

from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import Bestformer
from sw.nn.binary import binarise, compact_weights, zero_weights

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
