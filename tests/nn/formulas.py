"""Neurons by their formulas, in numpy."""

import numpy as np


def reference_lif(x, theta, soft):
    """The neuron of models.md section 2, step by step in numpy."""
    v, out = np.zeros_like(x[0]), []
    for current in x:
        v = v + (current - v) / 2
        s = (v >= theta).astype(x.dtype)
        v = v - theta * s if soft else np.where(s == 1, 0, v)
        out.append(s)
    return np.stack(out)
