"""Pitfalls of models.md section 8 that concern Q-SNN, each by its name."""

import math

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw.api import FloatNetwork
from sw.graph import (
    IMAGE,
    LIF,
    AveragePool,
    BatchNorm,
    Conv,
    Linear,
    MeanTokens,
    binarise,
    integers,
    power_of_two,
    quantise,
)

torch = pytest.importorskip("torch")


def network(nodes, *, channels, steps=1, mean=0.0):
    last = MeanTokens(name="mean", source=nodes[-1].name)
    return FloatNetwork(
        name="t",
        nodes=(*nodes, last),
        steps=steps,
        channels=channels,
        classes=1,
        mean=(mean,) * channels,
        std=(1.0,) * channels,
    )


def fire(currents, *, batch=1, **kind):
    """Spikes (T, B, C) of a Q-SNN neuron driven with ``currents`` (T, B, C)."""
    x = np.asarray(currents, dtype=np.float32)
    steps, images, width = x.shape
    # frame t of image b is white in the input channel (b, t) alone
    frames = np.zeros((images, steps, images * steps, 1, 1), dtype=np.uint8)
    for b in range(images):
        for t in range(steps):
            frames[b, t, b * steps + t] = 255
    weight = x.transpose(2, 1, 0).reshape(width, images * steps, 1, 1)
    nodes = [
        Conv(name="conv", source=IMAGE, weight=np.ascontiguousarray(weight), binary=False),
        LIF(name="lif", source="conv", **{"decay_input": False, "strict": True, **kind}),
    ]
    net = network(nodes, channels=images * steps, steps=steps)
    return net.run(frames, trace=["lif"], batch=batch).trace["lif"][..., 0, 0]


def test_greater_in_q_snn_greater_or_equal_in_bestformer():
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    assert fire([[[1.0, above]]]).tolist() == [[[0, 1]]]
    assert fire([[[1.0, above]]], strict=False).tolist() == [[[1, 1]]]


def test_input_does_not_decay_and_state_halves():
    # 1.0 stays under the threshold; 0.5 * 1.0 + 0.5 = 1.0 too; 0.5 + 0.625 fires
    assert fire([[[1.0, 1.0]], [[0.5, 0.625]]])[:, 0].tolist() == [[0, 0], [0, 1]]


def test_sign_of_zero():
    weight = np.array([[[[1.0, 2.0, 3.0]]], [[[1.0, 1.0, 4.0]]]], dtype=np.float32)
    np.testing.assert_array_equal(binarise(weight).reshape(2, 3), [[-1, 0, 1], [-1, -1, 1]])
    conv = Conv(name="c", source=IMAGE, weight=weight.reshape(2, 3, 1, 1), binary=True)
    white = np.full((1, 3, 1, 1), 255, dtype=np.uint8)
    got = network([conv], channels=3).run(white, trace="all").trace["c"]
    assert got[..., 0, 0].tolist() == [[[0.0, -1.0]]]


def test_batch_wide_alpha():
    """An image's spikes depend on its neighbours with alpha None, and not with alpha frozen."""
    drive = np.zeros((2, 2, 2))
    drive[0, :, 0], drive[0, 1, 1] = 0.3, -4.0  # the second image has a large membrane
    drive[1, :, 0] = 0.9  # fires if more than 0.2 of 0.3 is kept
    kind = {"state_bits": 2}
    together, alone = (fire(drive, batch=n, alpha=None, **kind)[..., 0] for n in (2, 1))
    assert together.tolist() == [[0, 0], [0, 0]]  # 0.29 of 1.0 is stored as 0
    assert alone.tolist() == [[0, 0], [1, 0]]  # 0.29 of 0.29 is stored whole
    together, alone = (fire(drive, batch=n, alpha=0.3, **kind)[..., 0] for n in (2, 1))
    np.testing.assert_array_equal(together, alone)


def test_alpha_zero_stays_zero():
    drive = np.zeros((3, 1, 2))
    drive[2] = 1.0, 1.001
    assert fire(drive, state_bits=2, alpha=None)[:, 0].tolist() == [[0, 0], [0, 0], [0, 1]]


def test_quantise_after_reset_and_before_the_next_leak():
    # after the reset: 4.0 fires, 0 is stored, and 0.9 does not fire
    # before the leak: 0.4 is stored as round(0.38) = 0, not as half of it later
    # and 0.8 as round(0.66) = 1: 0.5 * 1 + 0.6 fires where 0.5 * 0.8 + 0.6 would not
    # the last: quantised after the leak it would be round(tanh(0.4)) = 0 and 0.6
    drive = [[[4.0, 0.4, 0.8, 0.8]], [[0.9, 0.9, 0.6, 0.5]]]
    assert fire(drive, state_bits=2)[:, 0].tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]
    assert fire(drive)[:, 0].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]


def test_the_initial_state_is_zero():
    assert fire([[[1.0, 1.01]]], state_bits=2, alpha=None).tolist() == [[[0, 1]]]


def test_tanh_before_quantising():
    # tanh(0.53) = 0.485 rounds to 0 of 1; 0.53 itself would round to 1
    below, above = math.atanh(0.5) - 0.01, math.atanh(0.5) + 0.01
    drive = [[[below, above]], [[0.6, 0.6]]]
    assert 0.5 < below
    assert fire(drive, state_bits=2)[:, 0].tolist() == [[0, 0], [0, 1]]


def test_negative_membranes_are_stored_too():
    drive = [[[-9.0, -9.0]], [[1.49, 1.51]]]
    assert fire(drive, state_bits=8)[:, 0].tolist() == [[0, 0], [0, 1]]


def test_rounding_to_nearest_ties_to_even():
    # with alpha = 2 * tanh(v) the code is exactly L / 2: 0.5 to 0 (2 bits), 3.5 to 4 (4 bits)
    v = np.float32(0.5)
    alpha = float(2 * torch.tanh(torch.tensor(v)))
    drive = [[[v]], [[1.0]]]
    assert fire(drive, state_bits=2, alpha=alpha)[1].tolist() == [[0]]
    kept = alpha * 4 / 7 / 2
    drive = [[[v, v]], [[1.0 - kept + 0.01, 1.0 - kept - 0.01]]]
    assert fire(drive, state_bits=4, alpha=alpha)[1].tolist() == [[1, 0]]
    drive = [[[v] * 2], [[1.0 - alpha * 3 / 7 / 2 + 0.01] * 2]]
    assert fire(drive, state_bits=4, alpha=alpha)[1].tolist() == [[1, 1]]


def test_values_beyond_alpha_are_clipped():
    drive = [[[0.9, 0.9]], [[0.74, 0.76]]]  # 0.25 is kept of 0.9: 0.5 * alpha
    assert fire(drive, state_bits=8, alpha=0.5)[1].tolist() == [[0, 1]]


def test_first_layer_scale_is_the_signed_maximum():
    weight = np.array([[1.0, -1.7, 0.5, -0.25, 0.0]], dtype=np.float32)
    assert integers(weight, 8).tolist() == [[127, -216, 64, -32, 0]]  # neither clipped nor wrapped
    want = np.array([[127, -216, 64, -32, 0]], dtype=np.float32) / np.float32(127)
    np.testing.assert_array_equal(quantise(weight, 8), want)
    half = np.array([[254.0, 1.0, 3.0, -1.0]], dtype=np.float32)  # ties to even
    assert integers(half, 8).tolist() == [[127, 0, 2, 0]]
    image = np.full((1, 1, 1, 1), 255, dtype=np.uint8)
    nodes = [
        Conv(name="c", source=IMAGE, weight=weight.reshape(5, 1, 1, 1), binary=False, weight_bits=8)
    ]
    got = network(nodes, channels=1).run(image, trace="all").trace["c"]
    np.testing.assert_array_equal(got[0, 0, :, 0, 0], want[0])


def test_last_layer_scale_is_the_signed_maximum():
    weight = np.array([[1.0, -1.7], [0.3, 0.7]], dtype=np.float32)
    conv = Conv(name="c", source=IMAGE, weight=np.ones((2, 1, 1, 1), np.float32), binary=False)
    mean = MeanTokens(name="m", source="c", over_steps=False)
    head = Linear(name="h", source="m", weight=weight, bias=np.zeros(2, np.float32), weight_bits=8)
    net = FloatNetwork(
        name="t", nodes=(conv, mean, head), steps=1, channels=1, classes=2, mean=(0,), std=(1,)
    )
    got = net.run(np.full((1, 1, 1, 1), 255, np.uint8)).logits
    np.testing.assert_allclose(got[0, 0], [(127 - 216) / 127, (38 + 89) / 127], atol=1e-6)


def test_power_of_two_scale():
    rng = np.random.default_rng(0)
    filters = rng.normal(size=(6, 8, 3, 3)).astype(np.float32) * 7 + 3
    assert power_of_two(filters).tolist() == [1.0] * 6
    spiky = np.zeros((1, 8, 1, 1), dtype=np.float32)
    spiky[0, 3] = -5.0
    z = (spiky - spiky.mean()) / spiky.std(ddof=1)
    assert np.abs(z).mean() < 2**-0.5
    assert power_of_two(spiky).tolist() == [0.5]


def test_negative_batchnorm_scale_turns_the_comparison():
    conv = Conv(name="c", source=IMAGE, weight=np.ones((2, 1, 1, 1), np.float32), binary=False)
    bn = BatchNorm(
        name="bn",
        source="c",
        weight=np.array([2.0, -2.0], np.float32),
        bias=np.array([0.5, 2.0], np.float32),
        mean=np.zeros(2, np.float32),
        var=np.ones(2, np.float32),
        eps=0.0,
    )
    lif = LIF(name="lif", source="bn", decay_input=False, strict=True)
    net = network([conv, bn, lif], channels=1)
    images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    assert net.run(images, trace=True).trace["lif"][0, ..., 0, 0].tolist() == [[0, 1], [1, 0]]


def test_padded_taps_add_nothing():
    weight = np.full((1, 1, 3, 3), 1.0, np.float32)
    weight[0, 0, 0] = -2.0  # the row above: -1, the rest +1
    conv = Conv(name="c", source=IMAGE, weight=weight, binary=True, padding=1)
    got = network([conv], channels=1).run(np.full((1, 3, 3), 255, np.uint8), trace="all")
    assert got.trace["c"][0, 0, 0].tolist() == [[4, 6, 4], [2, 3, 2], [0, 0, 0]]
    grey = network([conv], channels=1, mean=0.5).run(np.full((1, 3, 3), 0, np.uint8), trace="all")
    assert grey.trace["c"][0, 0, 0, 0].tolist() == [-2, -3, -2]  # zero after normalisation


def test_image_is_repeated_so_the_first_convolution_runs_once():
    conv = Conv(name="c", source=IMAGE, weight=np.ones((1, 1, 1, 1), np.float32), binary=False)
    lif = LIF(name="lif", source="c", decay_input=False, strict=True, state_bits=8)
    net = network([conv, lif], channels=1, steps=3)
    calls = []
    plain = torch.nn.functional.conv2d

    def counted(x, *rest, **options):
        calls.append(len(x))
        return plain(x, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "conv2d", counted)
        once = net.run(np.full((2, 1, 1), 200, np.uint8), trace=True)
    repeated = net.run(np.full((2, 3, 1, 1, 1), 200, np.uint8), trace=True)
    assert calls == [2]
    np.testing.assert_array_equal(once.trace["lif"], repeated.trace["lif"])
    assert once.trace["lif"][:, 0].ravel().tolist() == [0, 1, 0]


def test_average_pool_gives_quarters_and_drops_odd_sides():
    conv = Conv(name="c", source=IMAGE, weight=np.ones((1, 1, 1, 1), np.float32), binary=False)
    pool = AveragePool(name="p", source="c")
    pixels = np.zeros((1, 3, 5), np.uint8)
    pixels[0, 0, 0] = pixels[0, :2, 2:4] = pixels[0, :, 4] = 255
    got = network([conv, pool], channels=1).run(pixels, trace="all").trace["p"]
    assert got[0, 0, 0].tolist() == [[0.25, 1.0]]
    with pytest.raises(SpikeloomError, match="p pools 2x2 and gets 1x5"):
        network([conv, pool], channels=1).run(pixels[:, :1])
