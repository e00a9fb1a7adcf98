"""Neurons of stored membrane against their formula."""

import math

import pytest
import torch

from sw.families.qsnn.neurons import QuantLIF, store


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
