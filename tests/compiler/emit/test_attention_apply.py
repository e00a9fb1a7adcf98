"""Instructions of attention maps times the third operand."""

import dataclasses

import numpy as np
import pytest

from hw.arch import SpikeloomError
from sw.compiler import compile_network
from sw.testing import random_network


def test_bias_that_differs_by_step_is_refused(small):
    net = random_network(1, **small)
    n = next(i for i, layer in enumerate(net.layers) if layer.name.endswith("apply"))
    layer = net.layers[n]
    bias = layer.affine.bias + np.arange(net.steps)[:, None]
    layer = dataclasses.replace(layer, affine=dataclasses.replace(layer.affine, bias=bias))
    net = net.replace(layers=(*net.layers[:n], layer, *net.layers[n + 1 :]))
    with pytest.raises(SpikeloomError, match="bias must be the same at every step"):
        compile_network(net)
