"""Rounding of the integer network, against integers of any size."""

import numpy as np
import pytest
import torch

from hw.arch.formats import MEMBRANE_MAX as MOST
from hw.arch.formats import MEMBRANE_MIN as LEAST
from sw.nn.rounding import AffineRounding, PixelRounding, SumRounding, saturate, straight


def test_the_value_is_exact_and_the_gradient_passes():
    real = torch.tensor([0.1, 1e8, -3.0], requires_grad=True)
    rounded = torch.tensor([0.125, 3.0, -3.5])
    y = straight(real, rounded)
    assert torch.equal(y, rounded)
    y.backward(torch.tensor([1.0, 2.0, 3.0]))
    assert real.grad.tolist() == [1, 2, 3]


def test_units_saturate_at_what_a_membrane_holds():
    whole = torch.tensor([-1e9, LEAST - 1.0, LEAST, -1.0, 0.0, MOST, MOST + 1.0, 1e9])
    assert saturate(whole).tolist() == [LEAST, LEAST, LEAST, -1, 0, MOST, MOST, MOST]


def test_affine_is_floored_and_clipped_after_its_scale_is_taken_off():
    signed = np.array([[-7, 0, 3, 1200], [11, -12, 1, 2200]])
    factor, bias, scale, offset = [2047, -1023], [-5, 6], [0.5, 4.0], [0.25, -3.0]
    column = [torch.tensor(v).double()[:, None] for v in (factor, bias, scale, offset)]
    rounding = AffineRounding(
        factor=column[0], bias=column[1], shift=4, one=256.0, scale=column[2], offset=column[3]
    )
    sums = torch.from_numpy(signed) * column[2] + column[3]
    real = torch.zeros(2, 4)
    want = [
        [min(max((f * s + b) >> 4, LEAST), MOST) / 256 for s in row.tolist()]
        for f, b, row in zip(factor, bias, signed, strict=True)
    ]
    got = rounding(sums.float(), real)
    assert got.dtype == torch.float32
    assert got.tolist() == want
    assert {MOST / 256, LEAST / 256} <= {v for row in want for v in row}


@pytest.mark.parametrize(("pixel_shift", "stride"), [(0, 1), (1, 2)])
def test_pixels_are_whole_less_their_centre(pixel_shift, stride):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1, 2, 4, 5))
    weight = rng.integers(-50, 50, (3, 2, 3, 3))
    bias, centre = rng.integers(-9999, 9999, (3, 1, 1)), np.array([100, 7])[:, None, None]
    mean, std = np.array([0.4, 0.5])[:, None, None], np.array([0.2, 0.25])[:, None, None]
    rounding = PixelRounding(
        weight=torch.from_numpy(weight).double(),
        bias=torch.from_numpy(bias).double(),
        shift=5,
        pixel_shift=pixel_shift,
        centre=torch.from_numpy(centre).double(),
        padding=1,
        stride=stride,
        one=64.0,
        mean=torch.from_numpy(mean).float(),
        std=torch.from_numpy(std).float(),
    )
    x = torch.from_numpy(((pixels / 255 - mean) / std).astype(np.float32))
    rows, columns = -(-4 // stride), -(-5 // stride)
    want = np.zeros((1, 3, rows, columns))
    for o, r, c in np.ndindex(3, rows, columns):
        total = int(bias[o, 0, 0])
        for i, a, b in np.ndindex(2, 3, 3):
            y, z = r * stride + a - 1, c * stride + b - 1
            if 0 <= y < 4 and 0 <= z < 5:  # what is outside adds nothing
                level = (int(pixels[0, i, y, z]) << pixel_shift) - int(centre[i, 0, 0])
                total += level * int(weight[o, i, a, b])
        want[0, o, r, c] = min(max(total >> 5, LEAST), MOST) / 64
    real = torch.zeros(1, 3, rows, columns, requires_grad=True)
    got = rounding(x, real)
    np.testing.assert_array_equal(got.detach().numpy(), want)
    got.sum().backward()
    assert (real.grad == 1).all()


def test_sums_saturate_and_means_of_two_are_floored():
    add = SumRounding(one=8.0)
    branch = torch.tensor([0, 1, -1, 3, MOST, LEAST]) / 8.0
    first = torch.tensor([5, 2, -4, -3, MOST, LEAST]) / 8.0
    second = torch.tensor([0, 1, 1, -4, MOST, LEAST + 1]) / 8.0
    assert (add(branch) * 8).tolist() == [0, 1, -1, 3, MOST, LEAST]
    assert (add(branch, first) * 8).tolist() == [5, 3, -5, 0, MOST, LEAST]
    # floor((5 + 0) / 2) is 2, floor((-4 + 1) / 2) is -2, floor((-3 - 4) / 2) is -4
    assert (add(branch, first, second) * 8).tolist() == [2, 2, -3, -1, MOST, LEAST]


def test_gradients_of_sums_are_those_of_the_mean():
    tensors = [torch.tensor([0.3], requires_grad=True) for _ in range(3)]
    SumRounding(one=8.0)(*tensors).backward()
    assert [t.grad.item() for t in tensors] == [1.0, 0.5, 0.5]
