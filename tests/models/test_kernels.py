"""The neurons' compiled loops are the torch operations, forward and backward."""

import itertools

import pytest
import torch

from sw.models import kernels, neurons, qsnn_layers
from sw.models.neurons import lif
from sw.models.qsnn_layers import QuantLIF

pytestmark = pytest.mark.skipif(kernels.compiled() is None, reason="numba is not installed")


def currents(frames, layout, dtype=torch.float32):
    """Currents (F, 3, 8, 5, 7) in a layout of memory, among them ties with theta."""
    x = torch.randn(frames, 3, 8, 5, 7, generator=torch.Generator().manual_seed(1)) * 2
    x[:, 0, 0] = torch.tensor([0.0, 1.0, 2.0, -2.0, 4.0, 0.5, 1e30]).expand(frames, 5, 7)
    if layout == "inner":  # channels innermost
        x = x.movedim(2, -1).contiguous().movedim(-1, 2)
    elif layout == "holes":
        x = torch.stack([x, x], -1)[..., 0]
    elif layout == "turned":
        x = x.mT.contiguous().mT
    return x.to(dtype)


def both(monkeypatch, module, run, x):
    """Outputs and gradients of the compiled loops and of torch's operations."""
    found = []
    for path in ("compiled", "torch"):
        with monkeypatch.context() as patch:
            if path == "torch":
                patch.setattr(module, "loops", lambda _: None)
            a = x.clone().requires_grad_()
            s = run(a * 1.0 if a.is_contiguous() else a + 0.0)
            weights = torch.randn(s.shape, generator=torch.Generator().manual_seed(2))
            (s * weights.to(s.dtype)).sum().backward()
            found.append((s.detach(), a.grad))
    return found


@pytest.mark.parametrize("layout", ["plain", "inner", "holes", "turned"])
@pytest.mark.parametrize(("steps", "shared"), [(1, 0), (2, 0), (5, 0), (1, 1), (4, 1)])
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("spare", [False, True], ids=["kept", "spare"])
def test_lif(monkeypatch, layout, steps, shared, soft, spare):
    x = currents(1 if shared else steps, layout)
    (s, g), (want, want_g) = both(
        monkeypatch, neurons, lambda a: lif(a, 0.7, soft=soft, steps=steps, spare=spare), x
    )
    assert s.shape == (steps, *x.shape[1:])
    assert torch.equal(s, want)
    assert 0.05 < s.mean() < 0.95
    torch.testing.assert_close(g, want_g, rtol=1e-6, atol=1e-7)
    assert g.abs().sum() > 0


@pytest.mark.parametrize(("bits", "alpha"), [*itertools.product([2, 4, 8], [1.0, 0.9, 1.4])])
@pytest.mark.parametrize(("steps", "shared"), [(1, 0), (2, 0), (4, 0), (3, 1)])
def test_quantised_lif(monkeypatch, bits, alpha, steps, shared):
    for layout in ("plain", "inner", "holes"):
        x = currents(1 if shared else steps, layout)
        (s, g), (want, want_g) = both(
            monkeypatch, qsnn_layers, lambda a: QuantLIF(bits, alpha)(a, steps), x
        )
        assert torch.equal(s, want), layout
        torch.testing.assert_close(g, want_g, rtol=1e-6, atol=1e-7)


def test_quantised_lif_is_the_unrolled_neuron():
    x = currents(4, "plain", torch.float64).requires_grad_()
    a = QuantLIF(4)(x)
    weights = torch.randn(a.shape, generator=torch.Generator().manual_seed(3), dtype=a.dtype)
    (a * weights).sum().backward()
    got, x.grad = x.grad, None
    kept, total = torch.zeros_like(x[0]), 0.0
    for t in range(4):
        u = 0.5 * kept + x[t]
        z = (u - 1).clamp(-1, 1)
        smooth = 0.5 + z - z * z.abs() / 2
        s = (u > 1).to(u.dtype)
        assert torch.equal(s, a[t])
        total = total + ((s - smooth).detach() + smooth).mul(weights[t]).sum()
        kept = qsnn_layers.store(u * (1 - s), 4, 1.0)
    total.backward()
    torch.testing.assert_close(got, x.grad)


def test_a_second_backward_pass_is_refused():
    x = torch.randn(2, 4, requires_grad=True)
    s = lif(x).sum()
    s.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="backward pass runs once"):
        s.backward()


def test_inputs_are_left_alone_unless_spare():
    x = currents(3, "plain")
    before = x.clone()
    lif(x)
    lif(x[:1], steps=3, spare=True)  # shown at every step: not to be overwritten
    assert torch.equal(x, before)


def test_half_precision_and_other_devices_take_torch():
    assert neurons.loops(torch.zeros(1, 2, dtype=torch.bfloat16)) is None
    assert neurons.loops(torch.zeros(1, 2, device="meta")) is None
    assert neurons.loops(torch.zeros(1, 2)) is not None
