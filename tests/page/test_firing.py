"""Spikes and maps against the golden model."""

import numpy as np
import pytest

from sw.page.firing import attention
from sw.page.gather import choose


@pytest.mark.parametrize("which", ["digits", "qsnn"])
def test_spikes_are_the_golden_models(which, request):
    network, _, page = request.getfixturevalue(which)
    golden = network.run(page.sample.pixels[None], trace=True).trace
    assert page.spikes
    for s in page.spikes:
        wanted = golden[s.name][:, 0]
        np.testing.assert_array_equal(s.bits, wanted.reshape(s.bits.shape), err_msg=s.name)


def test_maps_are_the_golden_models(digits):
    network, program, page = digits
    golden = network.run(page.sample.pixels[None], trace=True).trace
    assert len(page.attention) == 2
    for a in page.attention:
        np.testing.assert_array_equal(a.maps, golden[a.name][:, 0])
        assert a.grid == (4, 4)
    found = {a.name: a.maps for a in page.attention}
    assert [a.grid for a in attention(program, found)] == [(), ()]  # as many channels as tokens


def test_steps_of_a_stream_are_in_order(stream):
    network, program, page = stream
    images, _ = choose(program, "digits")
    golden = network.run(images.pixels, trace=True).trace
    for s in page.spikes:
        wanted = golden[s.name][0]  # (steps, C, H, W)
        np.testing.assert_array_equal(s.bits, wanted.reshape(s.bits.shape))
    assert page.steps == len(images.pixels)
