"""The neuron of decaying input against its formula, forward and backward."""

import numpy as np
import pytest
import torch

from sw.nn.neurons import LIF, aligned, dense, flat, lif, like, surrogate
from sw.nn.rounding import Rounding
from tests.nn.formulas import reference_lif


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("theta", [0.5, 1.0, 9.0])
def test_lif_equals_its_formula(theta, soft):
    x = np.random.default_rng(0).normal(1, 3, (6, 500)).astype(np.float32)
    x[0, :3] = 2 * theta  # exactly at the threshold: fires
    got = lif(torch.from_numpy(x), theta, soft=soft).numpy()
    np.testing.assert_array_equal(got, reference_lif(x, np.float32(theta), soft))
    assert got[0, :3].all()


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_surrogate_gradient_equals_autograd_of_the_unrolled_neuron(soft):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 30, generator=generator, dtype=torch.float64) * 2 + 1
    weights = torch.randn(4, 30, generator=generator, dtype=torch.float64)
    theta = 0.7
    a = x.clone().requires_grad_()
    (lif(a, theta, soft=soft) * weights).sum().backward()
    b = x.clone().requires_grad_()
    v, total = torch.zeros(30, dtype=torch.float64), 0.0
    for t in range(4):
        u = v + (b[t] - v) / 2
        z = (u - theta).clamp(-1, 1)  # whose derivative is the triangle
        smooth = 0.5 + z - z * z.abs() / 2
        s = (u >= theta).double()
        total = total + ((s - smooth).detach() + smooth).mul(weights[t]).sum()
        v = u - theta * s if soft else u * (1 - s)  # s carries no gradient here: detached reset
    total.backward()
    torch.testing.assert_close(a.grad, b.grad)
    assert a.grad.abs().sum() > 0


def views():
    """The same values in several orders of memory, and whether a step is one piece of it."""
    x = torch.arange(120.0).view(2, 3, 4, 5)
    return {
        "plain": (x, True),
        "inner": (x.movedim(1, -1).contiguous().movedim(-1, 1), True),
        "holes": (torch.stack([x, x], -1)[..., 0], False),
        "steps inside": (x.movedim(0, 2).contiguous().movedim(2, 0), False),
        "half of the steps": (torch.cat([x, x])[::2], False),
    }


@pytest.mark.parametrize("kind", views())
def test_dense_tensors_are_rows_of_memory(kind):
    x, packed = views()[kind]
    got = dense(x)
    assert (got is x) == packed
    assert torch.equal(got, x)
    rows = flat(got)
    assert rows.shape == (2, 60)
    assert rows.data_ptr() == got.data_ptr()
    assert [sorted(r) for r in rows.tolist()] == [sorted(s.flatten().tolist()) for s in x]


def test_one_step_alone_is_dense_wherever_it_lies():
    x = torch.arange(24.0).view(4, 6)[1:2]
    assert dense(x) is x
    assert flat(x).tolist() == [[6, 7, 8, 9, 10, 11]]


def test_gradients_are_laid_out_as_the_potentials():
    x = dense(views()["inner"][0])
    made = like(x, 5)
    assert made.shape == (5, 3, 4, 5)
    assert made.stride()[1:] == x.stride()[1:]
    assert made.stride(0) == 60
    grad = views()["plain"][0]
    assert aligned(x, x) is x
    turned = aligned(grad, x)
    assert turned.stride() == x.stride()
    assert torch.equal(turned, grad)


def test_the_surrogate_is_a_triangle_about_the_threshold():
    u = torch.tensor([-1.0, 0.5, 1.0, 1.5, 2.0, 2.5, 4.0])
    assert surrogate(u, 1.5).tolist() == [0, 0, 0.5, 1, 0.5, 0, 0]


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_whole_units_are_floored_as_hardware_does(soft):
    one, theta = 16.0, 9
    units = np.random.default_rng(0).integers(-60, 60, (5, 200))
    units[0, :2] = 18, 17  # floor(17 / 2) is 8: one unit short
    x = torch.from_numpy(units / one).float().requires_grad_()
    u, s = np.zeros(200, int), []
    for row in units:
        u = (u + row) >> 1
        s.append(u >= theta)
        u = u - theta * s[-1] if soft else np.where(s[-1], 0, u)
    rounding = Rounding(one=one, theta=theta)
    got = lif(x, theta / one, soft=soft, rounding=rounding)
    np.testing.assert_array_equal(got.detach().numpy(), np.stack(s))
    assert got[0, :2].tolist() == [1, 0]
    got.sum().backward()
    assert x.grad.abs().sum() > 0


def test_the_module_is_its_function():
    x = torch.randn(1, 300, generator=torch.Generator().manual_seed(0)) * 2
    neuron = LIF(0.75, soft=True)
    assert torch.equal(neuron(x, 3), lif(x, 0.75, soft=True, steps=3))
    assert torch.equal(neuron(x.expand(3, -1)), lif(x, 0.75, soft=True, steps=3))
    neuron.rounding = Rounding(one=8.0, theta=6)
    want = lif(x, 0.75, soft=True, steps=3, rounding=neuron.rounding)
    assert torch.equal(neuron(x, 3), want)
    assert repr(neuron) == "LIF(theta=0.75, soft=True)"
    assert neuron.state_dict() == {}
