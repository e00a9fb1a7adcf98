"""Neurons of stored membrane against their formula."""

import math

import numpy as np
import pytest
import torch

from sw.families.qsnn.neurons import QuantLIF, store
from sw.nn.rounding import Rounding


def test_stored_membranes():
    v = torch.tensor([0.0, 0.3, -0.3, 5.0, -5.0], requires_grad=True)
    kept = store(v, 4, 1.0)
    torch.testing.assert_close(kept * 7, torch.round(torch.tanh(v) * 7))
    kept.sum().backward()
    torch.testing.assert_close(v.grad, 1 - torch.tanh(v.detach()) ** 2)
    half = store(v.detach(), 8, None)
    assert half.abs().max() == pytest.approx(math.tanh(5))
    assert store(torch.zeros(3), 8, None).tolist() == [0, 0, 0]


def test_neuron_is_strict_and_quantises_after_the_reset():
    x = torch.tensor([[1.0, 4.0, 0.4, 0.8], [0.5, 0.9, 0.9, 0.6]])
    assert QuantLIF(2)(x).tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]


def by_formula(x, bits, alpha):
    """Spikes of currents (T, ...), and what is kept after every step, in float64."""
    kept, spikes, levels = np.zeros_like(x[0]), [], 2 ** (bits - 1) - 1
    for row in x:
        u = 0.5 * kept + row
        spikes.append(u > 1)
        v = np.tanh(np.where(u > 1, 0, u))
        scale = np.abs(v).max() if alpha is None else alpha
        kept = np.rint(np.clip(v / scale, -1, 1) * levels) * scale / levels if scale else v
    return np.stack(spikes)


@pytest.mark.parametrize("alpha", [1.0, 0.5, None])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_neuron_equals_its_formula(bits, alpha):
    x = np.random.default_rng(bits).normal(0.3, 0.8, (5, 3, 40))
    got = QuantLIF(bits, alpha)(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(got, by_formula(x, bits, alpha))
    still = QuantLIF(bits, alpha)(torch.from_numpy(x[:1]), 4).numpy()
    np.testing.assert_array_equal(still, by_formula(x[:1].repeat(4, 0), bits, alpha))
    assert repr(QuantLIF(bits, alpha)) == f"QuantLIF(bits={bits}, alpha={alpha})"


def test_whole_units_keep_the_code_of_their_magnitude():
    one, theta, thresholds, shift = 16.0, 17, [3, 8, 12], 2
    units = np.random.default_rng(0).integers(-40, 40, (5, 300))
    units[0, :4] = 17, 16, 8, -7  # at the threshold, below it, on an edge of a code, below one
    kept, want = np.zeros(300, int), []
    for row in units:
        u = kept + row
        want.append(u >= theta)
        w = np.where(want[-1], 0, u)
        code = sum((np.abs(w) >= edge).astype(int) for edge in thresholds)
        kept = np.sign(w) * code * 2**shift
    neuron = QuantLIF(4)
    edges = torch.tensor(thresholds, dtype=torch.float32)
    neuron.rounding = Rounding(one=one, theta=theta, thresholds=edges, shift=shift)
    x = torch.from_numpy(units / one).float().requires_grad_()
    got = neuron(x)
    np.testing.assert_array_equal(got.detach().numpy(), np.stack(want))
    assert got[0, :2].tolist() == [1, 0]
    got.sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("beyond", [0.6, -0.6])
def test_beyond_the_scale_there_is_no_gradient(beyond):
    v = torch.tensor([0.1, math.atanh(beyond)], requires_grad=True)
    kept = store(v, 4, 0.5)
    assert kept[1].item() == math.copysign(0.5, beyond)
    kept.sum().backward()
    assert v.grad[0] > 0.9
    assert v.grad[1] == 0
