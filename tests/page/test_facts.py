"""The facts of a page: what is derived from what is held."""

import numpy as np

from sw.page.facts import Confusion, Memory, Sample, Spikes, Tenant


def test_rates_and_counts():
    bits = np.zeros((2, 3, 4), np.uint8)
    bits[1, 0, :3] = 1
    spikes = Spikes(name="s", layer="l", bits=bits, sides=(2, 2))
    assert (spikes.counts, spikes.rates) == ([0, 3], [0.0, 0.25])


def test_used_words():
    tenant = Tenant(name="a", kind="spikes", base=3, size=5, begin=0, end=9)
    of = {"name": "row", "title": "row memory", "banks": 4, "width": 32, "depth": 64}
    assert Memory(**of, tenants=(tenant,)).used == 8
    assert Memory(**of, tenants=()).used == 0


def test_right_images():
    found = Confusion(data="d", counts=np.array([[3, 1], [0, 2]]))
    assert (found.images, found.right) == (6, 5)


def test_prediction():
    logits = np.array([1, 7, 3])
    sample = Sample(name="x", pixels=np.zeros((1, 1, 1)), label=None, logits=logits, scale=1.0)
    assert sample.prediction == 1
