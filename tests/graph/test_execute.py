"""Every node in float: small whole numbers that float32 holds exactly, against loops."""

import math
import subprocess
import sys

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.graph import execute

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(12)
T = 3


def network(*nodes, channels=2, classes=2, **changes):
    """A network on pixels as they are: mean 0, deviation 1 / 255."""
    fields = {"steps": T, "mean": (0.0,) * channels, "std": (1 / 255,) * channels}
    return g.FloatNetwork(
        name="net", nodes=nodes, channels=channels, classes=classes, **fields | changes
    )


def images(*shape, most=9):
    return RNG.integers(0, most, shape).astype(np.uint8)


def traced(net, pixels, **options):
    """Every tensor as float64."""
    last = net.nodes[-1].name
    mean = g.MeanTokens(name="end", source=last)
    ends = isinstance(net.nodes[-1], g.MeanTokens | g.MeanSteps)
    nodes = net.nodes if ends else (*net.nodes, mean)
    net = g.FloatNetwork(**{**vars(net), "nodes": nodes})
    trace = execute.run(net, pixels, trace="all", **options).trace
    return {k: v.astype(np.float64) for k, v in trace.items()}


def passed(name, source=g.IMAGE):
    """A neuron that passes pixels other than 0 on as spikes at every step."""
    return g.LIF(name=name, source=source, tau=1.0, theta=0.5)


def test_the_image_is_normalised():
    conv = g.Conv(name="c", source=g.IMAGE, weight=same(2), binary=False)
    net = network(conv, mean=(0.5, 0.25), std=(0.5, 0.125))
    pixels = np.array([[[[0, 255]], [[255, 51]]]], np.uint8)
    got = traced(net, pixels)["c"]
    assert got[0, 0, 0].tolist() == [[-1, 1]]
    assert got[0, 0, 1, 0, 0] == 6
    assert got[0, 0, 1, 0, 1] == pytest.approx((51 / 255 - 0.25) / 0.125, abs=1e-6)
    assert len(got) == T  # the same at every step


@pytest.mark.parametrize(("padding", "stride"), [(0, 1), (1, 1), (1, 2)])
def test_convolution(padding, stride):
    weight = RNG.integers(-4, 5, (3, 2, 3, 3)).astype(np.float32)
    scale, bias = np.array([1, 2, -1], np.float32), np.array([0, 5, 7], np.float32)
    made = g.Conv(
        name="c", source="s", weight=weight, binary=False, padding=padding, stride=stride,
        scale=scale, bias=bias,
    )  # fmt: skip
    pixels = images(2, 2, 5, 6, most=2)
    got = traced(network(passed("s"), made), pixels)["c"][0]
    assert got.shape[2:] == (
        (5 + 2 * padding - 3) // stride + 1,
        (6 + 2 * padding - 3) // stride + 1,
    )
    for (b, o, y, x), value in np.ndenumerate(got):
        total = 0
        for c, i, j in np.ndindex(2, 3, 3):
            row, column = y * stride + i - padding, x * stride + j - padding
            if 0 <= row < 5 and 0 <= column < 6:
                total += weight[o, c, i, j] * (pixels[b, c, row, column] > 0)
        assert value == total * scale[o] + bias[o]


def test_weights_are_quantised_before_use():
    weight = np.array([3.0, 1.0], np.float32).reshape(1, 2, 1, 1)
    pixels = np.ones((1, 2, 1, 1), np.uint8)
    for changes, want in (
        ({"binary": False}, 4.0),
        ({"binary": True}, 0.0),  # +1 and -1
        ({"binary": False, "weight_bits": 2}, 3.0),  # 3 and 0
    ):
        made = g.Conv(name="c", source="s", weight=weight, **changes)
        assert traced(network(passed("s"), made), pixels)["c"].ravel().tolist() == [want] * T


def test_norm():
    norm = g.BatchNorm(
        name="b",
        source="s",
        weight=np.array([3, -2], np.float32),
        bias=np.array([1, 0.5], np.float32),
        mean=np.array([-4, 8], np.float32),
        var=np.array([4, 16], np.float32),
        eps=0.0,
    )
    got = traced(network(passed("s"), norm), np.array([[[[1]], [[1]]], [[[0]], [[0]]]], np.uint8))
    assert got["b"][0].reshape(2, 2).tolist() == [[8.5, 4.0], [7.0, 4.5]]


def same(channels):
    """Weight of a 1x1 convolution that changes nothing."""
    return np.eye(channels, dtype=np.float32)[:, :, None, None]


def drive(*values):
    """One frame per step, (1, T, 1, 1, 1)."""
    return np.array(values, np.uint8).reshape(1, -1, 1, 1, 1)


@pytest.mark.parametrize("decay", [True, False])
@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("strict", [True, False])
def test_neurons(decay, soft, strict):
    """Membranes are multiples of 1/16, thresholds are met exactly."""
    x = (4, 8, 2, 0, 12, 4, 4)
    node = g.LIF(name="s", source="c", theta=4.0, decay_input=decay, soft=soft, strict=strict)
    one = g.Conv(name="c", source=g.IMAGE, weight=same(1), binary=False)
    net = network(one, node, channels=1, steps=len(x))
    got = traced(net, drive(*x))["s"].ravel()
    v, want = 0.0, []
    for value in x:
        v = v + (value - v) / 2 if decay else v / 2 + value
        fired = v > 4 if strict else v >= 4
        want.append(int(fired))
        v = (v - 4 if soft else 0.0) if fired else v
    assert got.tolist() == want
    assert 0 < sum(want) < len(x)


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("alpha", [1.0, 0.75, None])
def test_stored_membranes(bits, alpha):
    """round(clip(tanh(v) / alpha, -1, 1) * L) * alpha / L of each step but the last."""
    x = (1, 1, 0, 2, 1, 1, 0, 1)
    node = g.LIF(
        name="s",
        source="c",
        theta=1.4,
        decay_input=False,
        strict=True,
        state_bits=bits,
        alpha=alpha,
    )
    one = g.Conv(name="c", source=g.IMAGE, weight=same(1), binary=False)
    net = network(one, node, channels=1, steps=len(x))
    got = traced(net, drive(*x))["s"].ravel().tolist()
    levels, v, want = 2 ** (bits - 1) - 1, 0.0, []
    for value in x:
        v = v / 2 + value
        want.append(int(v > 1.4))
        u = math.tanh(0.0 if v > 1.4 else v)
        scale = abs(u) if alpha is None else alpha
        v = u if scale == 0 else round(min(u / scale, 1.0) * levels) * scale / levels
    assert got == want


def test_measured_alpha_is_the_largest_stored_value():
    """Of what is kept for a next step; what fires is stored as 0, and a silent neuron gets 1."""
    one = g.Conv(name="c", source=g.IMAGE, weight=same(1), binary=False)
    kept = g.LIF(name="s", source="c", theta=5.0, decay_input=False, state_bits=8)
    silent = g.LIF(name="z", source="n", theta=5.0, decay_input=False, state_bits=8)
    none = g.Conv(name="n", source="s", weight=np.zeros((1, 1, 1, 1), np.float32), binary=False)
    net = network(one, kept, none, silent, g.MeanTokens(name="end", source="z"), channels=1)
    frames = np.array([[1, 0, 4], [7, 2, 0]], np.uint8).reshape(2, 3, 1, 1, 1)
    for batch in (1, 2):
        got = execute.measure_alpha(net, frames, batch=batch)
        assert got["z"] == 1.0
        assert got["s"] == pytest.approx(math.tanh(2.0), abs=1e-6)


def test_pools():
    pixels = images(2, 2, 5, 7, most=2)
    nodes = (
        passed("s"),
        g.MaxPool(name="m", source="s"),
        g.AveragePool(name="a", source="s"),
        g.Add(name="e", branch="a", stream="a"),
    )
    got = traced(network(*nodes), pixels)
    spikes = (pixels > 0).astype(int)
    assert got["m"].shape[3:] == (3, 4)
    assert got["a"].shape[3:] == (2, 3)
    for (_, b, c, y, x), value in np.ndenumerate(got["m"]):
        rows, columns = (slice(max(0, 2 * n - 1), 2 * n + 2) for n in (y, x))
        assert value == spikes[b, c, rows, columns].max()
    for (_, b, c, y, x), value in np.ndenumerate(got["a"]):
        assert value == spikes[b, c, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].sum() / 4
    assert got["e"].tolist() == (2 * got["a"]).tolist()
    with pytest.raises(SpikeloomError, match="net: a pools 2x2 and gets 1x7; give larger images"):
        traced(network(*nodes), pixels[:, :, :1])


@pytest.mark.parametrize(("order", "similarity"), [("qk", "and"), ("qk", "xnor"), ("kv", "and")])
def test_attention(order, similarity):
    pixels = images(2, 6, 2, 4, most=2)
    flip = g.Conv(name="f", source="l", weight=np.roll(same(6), 1, 1), binary=False)
    gain = np.array([[1, 2, 0.5], [3, -1, 0], [4, 0.25, 2]], np.float32)
    nodes = (
        passed("l"),
        flip,
        passed("r", "f"),
        g.Similarity(name="m", left="l", right="r", heads=3, order=order, similarity=similarity),
        g.Apply(name="p", map="m", source="r", heads=3, order=order),
        g.Scale(name="x", source="p", factor=0.5, gain=gain),
    )
    got = traced(network(*nodes, channels=6), pixels)
    left = (pixels > 0).astype(int).reshape(2, 6, 8)
    right = np.roll(left, -1, 1)
    for t, b, h in np.ndindex(T, 2, 3):
        one, other = left[b, 2 * h : 2 * h + 2].T, right[b, 2 * h : 2 * h + 2].T  # (N, d)
        if order == "qk":
            want = one @ other.T
            if similarity == "xnor":
                want = want + (1 - one) @ (1 - other).T
            product = want @ other
        else:
            want = one.T @ other
            product = other @ want
        assert got["m"][t, b, h].tolist() == want.tolist()
        assert got["p"][t, b, 2 * h : 2 * h + 2].tolist() == product.T.tolist()
        scaled = product.T * gain[t, h] / 2
        assert got["x"][t, b, 2 * h : 2 * h + 2].tolist() == scaled.tolist()


def test_sums_means_and_logits():
    pixels = images(2, T, 2, 2, 2, most=2)
    weight, bias = RNG.integers(-9, 9, (3, 8)).astype(np.float32), np.array([1, 2, 3], np.float32)
    per = g.Linear(name="w", source="f", weight=weight, bias=bias)
    halves = g.Linear(name="h1", source="m", weight=weight[:, :2], bias=bias)
    other = g.Linear(name="h2", source="m", weight=weight[:, 2:4], bias=bias)
    double = g.Add(name="d", branch="s", stream="s")
    nodes = (
        passed("s"),
        double,
        g.Average(name="a", older="s", newer="d"),
        g.MeanTokens(name="mt", source="a", over_steps=False),
        g.MeanTokens(name="m", source="s"),
        halves,
        other,
        g.HeadAverage(name="ha", sources=("h1", "h2")),
        g.HeadAverage(name="single", sources=("h1",)),
        g.Flatten(name="f", source="s"),
        per,
        g.MeanSteps(name="end", source="w"),
    )
    got = traced(network(*nodes, classes=3), pixels)
    s = (pixels > 0).astype(int).swapaxes(0, 1)  # (T, B, C, H, W)
    assert got["d"].tolist() == (2 * s).tolist()
    assert got["a"].tolist() == (1.5 * s).tolist()
    assert got["mt"].tolist() == (1.5 * s.sum((3, 4)) / 4).tolist()
    mean = s.sum((0, 3, 4)) / (4 * T)
    np.testing.assert_allclose(got["m"], mean, rtol=1e-6)
    flat = s.reshape(T, 2, 8)
    assert got["f"].tolist() == flat.tolist()
    assert got["w"].tolist() == (flat @ weight.T + bias).tolist()
    np.testing.assert_allclose(got["end"], (flat @ weight.T + bias).mean(0), rtol=1e-6)
    pair = [mean @ weight[:, k : k + 2].T + bias for k in (0, 2)]
    np.testing.assert_allclose(got["ha"], (pair[0] + pair[1]) / 2, rtol=1e-5)
    np.testing.assert_allclose(got["single"], pair[0], rtol=1e-5)


def test_linear_layers_name_the_size_that_is_wrong():
    weight, bias = np.ones((2, 8), np.float32), np.ones(2, np.float32)
    net = network(
        passed("s"),
        g.Flatten(name="f", source="s"),
        g.Linear(name="w", source="f", weight=weight, bias=bias),
        g.MeanSteps(name="e", source="w"),
    )
    with pytest.raises(SpikeloomError, match="images of this size bring 12 values to w, which"):
        execute.run(net, images(1, 2, 2, 3))


TWICE = (
    passed("s"),
    g.Add(name="d", branch="s", stream="s"),
    g.MeanTokens(name="m", source="d"),
)


def test_traces_are_what_was_asked_for():
    nodes = (
        passed("s"),
        g.Add(name="d", branch="s", stream="s"),
        g.MeanTokens(name="m", source="d"),
    )
    net, pixels = network(*nodes), images(2, 2, 3, 3)
    assert execute.run(net, pixels).trace == {}
    spikes = execute.run(net, pixels, trace=True).trace
    assert {k: v.dtype for k, v in spikes.items()} == {"s": np.uint8}
    assert execute.run(net, pixels, trace=["m", "d"]).trace.keys() == {"m", "d"}
    assert execute.run(net, pixels, trace="all").trace.keys() == {"s", "d", "m"}


def test_batches_change_nothing():
    nodes = (
        passed("s"),
        g.Add(name="d", branch="s", stream="s"),
        g.MeanTokens(name="m", source="d"),
    )
    net, pixels = network(*nodes), images(5, 2, 3, 3, most=2)
    whole = execute.run(net, pixels, trace="all")
    parts = execute.run(net, pixels, trace="all", batch=2)
    assert whole.logits.tolist() == parts.logits.tolist()
    for name, tensor in whole.trace.items():
        assert tensor.tolist() == parts.trace[name].tolist()
    for batch in (0, -1):
        with pytest.raises(SpikeloomError, match=f"batch must be 1 or more, not {batch}"):
            execute.run(net, pixels, batch=batch)


def test_without_torch_the_cure_is_named():
    code = """
import sys
sys.modules["torch"] = None
import numpy as np
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.graph import execute
net = g.FloatNetwork(name="n", nodes=(), steps=1, channels=1, classes=1, mean=(0,), std=(1,))
try:
    execute.run(net, np.zeros((1, 1, 2, 2), np.uint8))
except SpikeloomError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.stdout.startswith("Running a float network needs torch; pip install"), done.stderr
