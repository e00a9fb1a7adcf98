"""Batch normalisation: float without rounding, the folded integers' with it, channels last."""

import numpy as np
import pytest
import torch

from sw.nn.norm import Norm1d, Norm2d, channels_last
from sw.nn.rounding import AffineRounding


def test_channels_are_innermost_in_memory():
    x = torch.arange(120.0).view(2, 3, 4, 5)
    y = channels_last(x)
    assert torch.equal(x, y)
    assert y.stride() == (60, 1, 15, 3)
    assert channels_last(y) is y


def settled(norm):
    """In evaluation mode, with statistics and an affine part of their own."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (norm.weight, norm.bias, norm.running_mean):
            tensor.normal_(generator=generator)
        norm.running_var.uniform_(0.5, 4, generator=generator)
    return norm.eval()


def test_tokens_have_their_channels_last():
    norm = settled(Norm1d(3))
    x = torch.randn(2, 5, 7, 3, generator=torch.Generator().manual_seed(1))
    want = torch.nn.BatchNorm1d.forward(norm, x.view(-1, 3)).view(2, 5, 7, 3)
    assert torch.equal(norm(x), want)
    assert torch.equal(norm(x)[1, 4, 6], norm(x[1, 4, 6][None])[0])


@pytest.mark.parametrize("kind", ["images", "tokens"])
def test_statistics_are_those_of_every_channel(kind):
    x = torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(1)) * 3 + 1
    norm = Norm2d(3, momentum=1.0) if kind == "images" else Norm1d(3, momentum=1.0)
    norm(x if kind == "images" else x.movedim(1, -1))
    rows = x.movedim(1, 0).reshape(3, -1)
    torch.testing.assert_close(norm.running_mean, rows.mean(1))
    torch.testing.assert_close(norm.running_var, rows.var(1))


@pytest.mark.parametrize("kind", ["images", "tokens"])
def test_with_rounding_values_are_integers_and_gradients_those_of_the_float_result(kind):
    shape, view = ((2, 3, 4, 5), (3, 1, 1)) if kind == "images" else ((2, 4, 5, 3), (3,))
    norm = settled(Norm2d(3) if kind == "images" else Norm1d(3))
    generator = torch.Generator().manual_seed(2)
    sums = torch.randint(-40, 41, shape, generator=generator).float()
    plain, rounded = sums.clone().requires_grad_(), sums.clone().requires_grad_()
    real = norm(plain)
    factor, bias = torch.tensor([37.0, -21.0, 5.0]), torch.tensor([100.0, -7.0, 3.0])
    norm.rounding = AffineRounding(
        factor=factor.double().view(view), bias=bias.double().view(view), shift=3, one=16.0
    )
    got = norm(rounded)
    broadcast = [np.broadcast_to(t.view(view).numpy().astype(int), shape) for t in (factor, bias)]
    want = (sums.numpy().astype(int) * broadcast[0] + broadcast[1]) >> 3
    np.testing.assert_array_equal(got.detach().numpy(), want / 16)
    weights = torch.randn(shape, generator=generator)
    (real * weights).sum().backward()
    (got * weights).sum().backward()
    assert torch.equal(rounded.grad, plain.grad)
