"""The neurons' compiled loops are the torch operations, forward and backward."""

import sys

import pytest
import torch

from sw.families.qsnn import neurons as qsnn_neurons
from sw.families.qsnn.neurons import QuantLIF
from sw.nn import kernels, neurons
from sw.nn.neurons import lif

needs_numba = pytest.mark.skipif(kernels.compiled() is None, reason="numba is not installed")
layouts = pytest.mark.parametrize("layout", ["plain", "inner", "holes", "turned", "steps inside"])
lengths = pytest.mark.parametrize(
    ("frames", "steps"), [*((t, t) for t in range(1, 6)), (1, 2), (1, 4)], ids=str
)
SHAPE = (3, 8, 9, 11)  # a step: more than a block of the loops, and no multiple of it


def currents(frames, seed=1):
    """Currents (F, 3, 8, 9, 11), among them ties with both thresholds and large ones."""
    x = torch.randn(frames, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2
    ties = torch.tensor([0.0, 1.0, 0.7, 1.4, 2.0, -2.0, 4.0, 0.5, -0.0, 3e4, -3e4])
    x[:, 0, 0] = ties.expand(frames, 9, 11)
    return x


def laid_out(x, layout):
    """``x`` in another layout of memory, which the neuron's gradient passes through."""
    if layout == "inner":  # channels innermost
        return x.movedim(2, -1).contiguous().movedim(-1, 2)
    if layout == "holes":
        return torch.stack([x, x.detach()], -1)[..., 0]
    if layout == "turned":
        return x.mT.contiguous().mT
    if layout == "steps inside":
        return x.movedim(0, 2).contiguous().movedim(2, 0)
    return x * 1.0


def passes(run, x, layout):
    """Spikes and the gradient at ``x``, of a loss whose gradient is dense and contiguous."""
    leaf = x.clone().requires_grad_()
    s = run(laid_out(leaf, layout))
    weights = torch.randn(s.shape, generator=torch.Generator().manual_seed(2)).to(s.dtype)
    (s.contiguous() * weights).sum().backward()
    return s.detach(), leaf.grad


def agree(monkeypatch, module, run, x, layout):
    """Compiled and torch passes, found to be the same bits."""
    s, g = passes(run, x, layout)
    with monkeypatch.context() as patch:
        patch.setattr(module, "loops", lambda _: None)
        want, want_g = passes(run, x, layout)
    assert torch.equal(s, want)
    assert torch.equal(g, want_g)
    assert 0.05 < s.mean() < 0.95
    assert (g != 0).float().mean() > 0.05
    return s


@needs_numba
@layouts
@lengths
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("spare", [False, True], ids=["kept", "spare"])
def test_lif(monkeypatch, layout, frames, steps, soft, spare):
    x = currents(frames)
    s = agree(
        monkeypatch, neurons, lambda a: lif(a, 0.7, soft=soft, steps=steps, spare=spare), x, layout
    )
    assert s.shape == (steps, *SHAPE)
    if layout in ("inner", "turned"):
        assert s[0].stride() == laid_out(x, layout)[0].stride()


@needs_numba
@lengths
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("alpha", [1.0, 0.9, 1.4, None])
def test_quantised_lif(monkeypatch, bits, alpha, frames, steps):
    x = currents(frames)
    for layout in ("plain", "inner", "holes", "steps inside"):
        agree(monkeypatch, qsnn_neurons, lambda a: QuantLIF(bits, alpha)(a, steps), x, layout)


def fire(u, theta, *, above):
    """Spikes whose derivative by autograd is the triangle."""
    z = (u - theta).clamp(-1, 1)
    smooth = 0.5 + z - z * z.abs() / 2
    s = (u > theta if above else u >= theta).to(u.dtype)
    return (s - smooth).detach() + smooth


def unrolled_lif(x, steps, theta, soft):
    v, spikes = torch.zeros_like(x[0]), []
    for t in range(steps):
        u = v + (x[min(t, len(x) - 1)] - v) / 2
        spikes.append(fire(u, theta, above=False))
        s = spikes[-1].detach().round()
        v = u - theta * s if soft else u * (1 - s)
    return torch.stack(spikes)


def unrolled_quantised(x, steps, bits, alpha):
    levels, kept, spikes = 2 ** (bits - 1) - 1, torch.zeros_like(x[0]), []
    for t in range(steps):
        u = 0.5 * kept + x[min(t, len(x) - 1)]
        spikes.append(fire(u, 1.0, above=True))
        squashed = torch.tanh(u * (1 - spikes[-1].detach().round()))
        scale = squashed.detach().abs().max() if alpha is None else alpha
        held = squashed.clamp(-scale, scale)
        stored = torch.round(held.detach() / scale * levels) * scale / levels
        kept = held + (stored - held).detach()
    return torch.stack(spikes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize(("frames", "steps"), [(1, 1), (4, 4), (1, 3)], ids=str)
@pytest.mark.parametrize(
    ("neuron", "reference"),
    [
        *(
            (
                lambda x, n, soft=soft, spare=spare: lif(x, 0.7, soft=soft, steps=n, spare=spare),
                lambda x, n, soft=soft: unrolled_lif(x, n, 0.7, soft),
            )
            for soft in (False, True)
            for spare in (False, True)
        ),
        *(
            (
                lambda x, n, bits=bits, alpha=alpha: QuantLIF(bits, alpha)(x, n),
                lambda x, n, bits=bits, alpha=alpha: unrolled_quantised(x, n, bits, alpha),
            )
            for bits in (2, 4, 8)
            for alpha in (1.0, 0.9, None)
        ),
    ],
    ids=[
        *(f"{r} {m}" for r in ("hard", "soft") for m in ("kept", "spare")),
        *(f"{b} bits of {a}" for b in (2, 4, 8) for a in (1.0, 0.9, None)),
    ],
)
def test_passes_are_those_of_the_unrolled_neuron(neuron, reference, frames, steps, dtype):
    x = currents(frames)[:, 1:, 0].double()  # no ties, which the precisions would round apart
    want, want_g = passes(lambda a: reference(a, steps), x, "plain")
    s, g = passes(lambda a: neuron(a, steps), x.to(dtype), "plain")
    assert torch.equal(s.double(), want.round())
    tolerance = dict(rtol=1e-4, atol=1e-5) if dtype == torch.float32 else dict(rtol=0, atol=1e-12)
    torch.testing.assert_close(g.double(), want_g, **tolerance)
    assert g.any()


@needs_numba
@pytest.mark.parametrize("spare", [False, True], ids=["kept", "spare"])
def test_a_second_backward_pass_is_refused(spare):
    x = torch.randn(2, 4, requires_grad=True)
    s = lif(x * 1.0, spare=spare).sum()
    s.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="backward pass runs once"):
        s.backward()


@pytest.mark.parametrize(
    "neuron",
    [lambda x: lif(x, steps=3), lambda x: QuantLIF(4)(x, 3), lambda x: lif(x.double(), steps=3)],
    ids=["shared", "quantised", "torch"],
)
def test_what_is_not_overwritten_may_pass_again(neuron):
    x = torch.randn(1, 40, generator=torch.Generator().manual_seed(0)).requires_grad_()
    s = neuron(x).sum()
    s.backward(retain_graph=True)
    first, x.grad = x.grad, None
    s.backward()
    assert first.any()
    assert torch.equal(x.grad, first)


def test_inputs_are_left_alone_unless_spare():
    x = currents(3)
    before = x.clone()
    lif(x)
    lif(x[:1], steps=3, spare=True)  # shown at every step: not to be overwritten
    QuantLIF(4)(x)
    assert torch.equal(x, before)


def test_without_numba_torch_computes_the_same(monkeypatch):
    x = currents(3)
    runs = (lif, lambda a: lif(a, soft=True, spare=True), QuantLIF(4), QuantLIF(2, 0.9))
    wanted = [passes(run, x, "inner") for run in runs]
    kernels.compiled.cache_clear()
    try:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "numba", None)
            assert kernels.compiled() is None
            assert neurons.loops(x) is None
            for run, want in zip(runs, wanted, strict=True):
                for got, expected in zip(passes(run, x, "inner"), want, strict=True):
                    assert torch.equal(got, expected)
    finally:
        kernels.compiled.cache_clear()


@needs_numba
def test_other_precisions_and_devices_take_torch():
    for dtype in (torch.bfloat16, torch.float64):
        assert neurons.loops(torch.zeros(1, 2, dtype=dtype)) is None
    assert neurons.loops(torch.zeros(1, 2, device="meta")) is None
    assert neurons.loops(torch.zeros(1, 2)) is not None
