"""What arrays of NIR nodes say in this project's terms."""

import numpy as np
import pytest

from sw.graph import LIF

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
pytest.importorskip("torch")
from tests.frontend.nir.reading import compare, named  # noqa: E402
from tests.frontend.nir.reference import Maker  # noqa: E402
from tests.frontend.nir.refusals import maker, refuse, write  # noqa: E402

WRONG = {
    "dilated": ("d", {"dilation": (2, 2)}, "is dilated, wanted dilation 1"),
    "stride": ("d", {"stride": (1, 2)}, "stride is 1x2, wanted the same both ways"),
    "no stride": ("d", {"stride": (0, 0)}, "stride is 0, wanted 1 or more"),
    "padding": ("d", {"padding": (1, 0)}, "padding is 1x0, wanted the same both ways"),
    "half padding": ("d", {"padding": (0.5, 0.5)}, "wanted (height, width)"),
    "same": ("d", {"padding": "same", "stride": (2, 2)}, "padding is 'same' of a 3x3 kernel"),
    "channels": ("d", {"weight": np.ones((4, 3, 3, 3))}, "reads 3 channels and gets 4"),
    "bias": ("d", {"bias": np.ones(3)}, "weight is (4, 4, 3, 3) and bias (3,)"),
    "kernel": ("d", {"weight": np.ones((4, 4, 9, 9))}, "its 9x9 kernel exceeds (4, 6, 6)"),
    "matrix": ("head", {"weight": np.ones((1, 3, 144))}, "weight is (1, 3, 144), wanted (out, in)"),
    "head": ("head", {"bias": np.ones(4)}, "bias is (4,), wanted (3,)"),
    "uneven": ("a", {"tau": np.linspace(1, 2, 144).reshape(4, 6, 6)}, "not the same for all"),
    "shape": ("a", {"r": np.ones((4, 6, 5))}, "r is (4, 6, 5), its input (4, 6, 6)"),
    "tau": ("a", {"tau": np.zeros((4, 6, 6))}, "tau is 0, wanted above 0"),
    "fast": ("a", {"tau": np.full((4, 6, 6), 5e-5)}, "tau 5e-05 is below dt 0.0001"),
    "axes": ("flat", {"start_dim": 1}, "leaves axes of (4, 6, 6) apart; wanted start_dim 0"),
    "half axis": ("flat", {"start_dim": 0.5}, "start_dim is 0.5, wanted one whole number"),
    "bits": ("a", {"metadata": {"state_bits": 3}}, "metadata tells 3 state bits"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_values(path, case):
    name, fields, message = case
    write(path, maker(), **{name: fields})
    refuse(path, f"{name} (", message)


@pytest.mark.parametrize("tau", [2e-4, 1e-4, 3.7e-4])
@pytest.mark.parametrize("gain", ["one", "cancels", "other"])
def test_neurons(tmp_path, tau, gain):
    """R of 1 is an input that decays, R of tau / dt one that does not; others move theta."""
    r = {"one": 1.0, "cancels": tau / 1e-4, "other": 3.0}[gain]
    make = Maker((2, 5, 4)).conv("first", 4, binary=False).lif("a", tau=tau, r=r)
    make.conv("second", 6, spread=0.5).lif("b", tau=tau, r=r, threshold=0.7).flatten()
    net = compare(tmp_path, make.affine("head", 3))
    lif = named(net, "b")
    steps = tau / 1e-4
    if gain == "cancels" and steps > 1:
        assert (lif.decay_input, lif.theta) == (False, float(np.float32(0.7)))
        assert lif.tau == pytest.approx(1 / (1 - 1 / steps), abs=1e-6)
    else:
        assert (lif.decay_input, lif.tau) == (True, pytest.approx(steps, abs=1e-6))
        assert lif.theta == pytest.approx(0.7 / (3.0 if gain == "other" else 1.0))
    assert (lif.strict, lif.soft, lif.state_bits) == (True, False, None)


def test_round_ratios_are_exact(tmp_path):
    """float32(2e-4) / 1e-4 is 2 and not 1.99999999."""
    make = Maker((1, 3, 3)).conv("c", 2, binary=False).lif("a").conv("d", 2).lif("b", r=2.0)
    net = compare(tmp_path, make.flatten().affine("head", 2))
    assert [(n.tau, n.theta, n.decay_input) for n in net.nodes if isinstance(n, LIF)] == [
        (2.0, 1.0, True),
        (2.0, 1.0, False),
    ]
