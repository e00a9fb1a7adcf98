"""Weights of a Q-SNN: standardised, of a power-of-two scale, in few bits, and compact."""

import numpy as np
import pytest
import torch

from sw.families.qsnn.layers import (
    ScaledBinaryConv2d,
    binarise,
    compact_weights,
    quantise,
    sharpness,
    standardise,
)
from sw.families.qsnn.model import Qsnn
from sw.graph import power_of_two
from tests.families.qsnn.nets import SMALL


def test_weights_are_standardised():
    torch.manual_seed(0)
    w = torch.randn(50, 4, 3, 3) * 3 + 1
    w[0] = w[0] ** 5
    z = standardise(w).flatten(1)
    torch.testing.assert_close(z.mean(1), torch.zeros(50), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.std(1), torch.ones(50))
    scale = power_of_two(w.numpy())
    assert set(scale.tolist()) == {0.5, 1.0}  # mean |z| lies about 0.8
    want = (
        np.sign(w.numpy() - w.numpy().mean((1, 2, 3), keepdims=True)) * scale[:, None, None, None]
    )
    np.testing.assert_array_equal(binarise(w, 1.0).numpy(), want)


@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
def test_annealed_sign_gradient(progress):
    t = sharpness(progress)
    assert t == pytest.approx(10 ** (2 * progress - 1))
    k = max(1 / t, 1)
    z = torch.linspace(-2, 2, 9)
    from sw.families.qsnn.layers import _Sign

    x = z.clone().requires_grad_()
    _Sign.apply(x, t).sum().backward()
    torch.testing.assert_close(x.grad, k * t * (1 - torch.tanh(t * z) ** 2))
    model = Qsnn(SMALL["residual"])
    model.anneal(progress)
    found = [m.t for m in model.modules() if isinstance(m, ScaledBinaryConv2d)]
    assert found == [t] * len(found)
    assert found


def test_eight_bit_weights_pass_the_gradient():
    w = torch.tensor([1.0, -1.7, 0.5, -0.25], requires_grad=True)
    q = quantise(w)
    torch.testing.assert_close(q * 127, torch.tensor([127.0, -216.0, 64.0, -32.0]))
    q.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [1.0] * 4


@pytest.mark.parametrize("shape", [(40, 3, 3, 3), (9, 16, 1, 1), (6, 64, 3, 3)])
def test_compact_weights_keep_signs_and_scales(shape):
    torch.manual_seed(0)
    # Powers of a Gaussian: the higher, the heavier the tails and the smaller the scale.
    gaussian = torch.randn(shape)
    scales = set()
    for power in (0.2, 1.0, 2.0, 3.0):
        weight = gaussian.sign() * gaussian.abs() ** power
        compact = compact_weights(weight)
        assert compact is not None
        assert compact.dtype == torch.int8
        got = binarise(compact.float(), 1.0)
        assert torch.equal(got, binarise(weight, 1.0))
        scales |= set(got.abs().flatten().tolist())
        margin = torch.log2(standardise(compact.float()).abs().flatten(1).mean(1))
        assert (margin - margin.round()).abs().max() < 0.4  # no rounding decides the scale
    assert {0.5, 1.0} <= scales


def test_weights_that_have_no_compact_form():
    assert compact_weights(torch.ones(2, 4, 1, 1)) is None  # no signs
    assert compact_weights(torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1)) is None  # one of zero
    spike = torch.randn(1, 512, 3, 3) * 1e-3
    spike[0, 0] = 100.0  # a scale of 1/16 or less
    assert compact_weights(spike) is None or torch.equal(
        binarise(compact_weights(spike).float(), 1.0), binarise(spike, 1.0)
    )
