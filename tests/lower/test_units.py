"""Units of real-valued tensors: which share one, and which neurons settle it."""

import dataclasses

import numpy as np
import pytest

from hw.arch.formats import state_levels
from hw.common.errors import SpikeloomError
from sw.lower.units import (
    STATE_ONE,
    state_shifts,
    state_unit,
)
from tests.lower.small import neuron

ALPHAS = (1.0, 0.9997, 0.988, 0.9, 0.75, 0.5, 0.1, 1.2, 2.0, 14 / 3)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_half_a_stored_membrane_is_a_shifted_code(bits, alpha):
    shift = state_shifts(bits, alpha)[0]
    one = state_unit(bits, alpha, shift)
    codes = np.arange(state_levels(bits) + 1)
    half = 0.5 * codes * alpha / state_levels(bits)
    np.testing.assert_allclose(half * one, codes << shift, rtol=1e-12)
    assert one <= STATE_ONE or shift == 1


def test_units_are_about_twelve_bits_at_alpha_one():
    found = {bits: state_unit(bits, 1.0, state_shifts(bits, 1.0)[0]) for bits in (2, 4, 8)}
    assert found == {2: 4096, 4: 3584, 8: 4064}


def test_neurons_of_one_stream_must_agree(tmp_path):
    pytest.importorskip("torch")
    from tests.lower.qsnn_nets import RESIDUAL, qsnn

    net = qsnn(tmp_path, **RESIDUAL)
    nodes = list(net.nodes)
    at = next(i for i, n in enumerate(nodes) if n.name == "layer2.0.lif2")
    nodes.insert(at + 1, neuron("second", "layer2.0.downsample.bn.bn", state_bits=4))
    with pytest.raises(SpikeloomError, match="another kind or state"):
        dataclasses.replace(net, nodes=tuple(nodes)).lower()
