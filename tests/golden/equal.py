"""Packed, plain and naive runs of a network, compared tensor by tensor."""

import numpy as np

from tests.golden.naive import run_naive


def check_all_equal(network, images):
    frames = images if images.ndim == 5 else images[:, None]
    logits, env = run_naive(network, frames)
    for kind, batch in (("numba", 64), ("plain", 2)):
        got = network.run(images, trace=True, kind=kind, batch=batch)
        np.testing.assert_array_equal(got.logits, logits)
        assert got.trace.keys() == env.keys()
        for name, tensor in got.trace.items():
            np.testing.assert_array_equal(tensor.reshape(env[name].shape), env[name], name)
