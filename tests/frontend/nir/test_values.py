"""What arrays of NIR nodes say in this project's terms."""

import numpy as np
import pytest

from sw.frontend.nir import values
from sw.frontend.nir.file import NIRNode
from sw.graph import LIF, binarise

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


def node(**fields):
    return NIRNode(name="n", kind="LIF", fields=fields)


@pytest.mark.parametrize(
    ("ratio", "want"),
    [
        (2.0000001, 2.0),
        (1.9999999, 2.0),
        (1 / 3 + 1e-8, 1 / 3),
        (63 / 64 + 1e-9, 63 / 64),
        (2.00001, 2.00001),
        (1 / 65, 1 / 65),
        (3.7, 3.7),
    ],
)
def test_ratios_snap_to_fractions_close_by(ratio, want):
    assert values.snap(ratio) == want


def test_numbers_of_fields():
    told = node(a=np.array([3.0]), b=np.int64(2), c=np.array([2, 3]), d=2.5, e=[-1, 1], f=[4, 4])
    assert (values.whole(told, "a"), values.whole(told, "b")) == (3, 2)
    assert (values.pair(told, "b"), values.pair(told, "c")) == ((2, 2), (2, 3))
    assert (values.side(told, "b"), values.side(told, "f")) == (2, 4)
    for read, key, words in (
        (values.whole, "c", r"c is \[2, 3\], wanted one whole number"),
        (values.whole, "d", r"d is 2\.5, wanted one whole"),
        (values.pair, "d", r"d is \[2\.5\], wanted \(height, width\)"),
        (values.pair, "e", r"e is \[-1, 1\], wanted"),
        (values.side, "c", "c is 2x3, wanted the same both ways"),
    ):
        with pytest.raises(values.UnreadableError, match=words):
            read(told, key)


@pytest.mark.parametrize("shape", [(), (1,), (2,), (2, 3, 4)])
def test_one_value_for_all_neurons(shape):
    assert values.uniform(node(r=np.full(shape, 0.5)), "r", (2, 3, 4)) == 0.5


def test_values_that_are_not_one():
    for value, words in (
        (np.ones(0), "r is empty"),
        (np.ones(3), r"r is \(3,\), its input \(2, 3, 4\)"),
        (np.array([1.0, 2.0]), r"not the same for all neurons \(1 to 2\)"),
    ):
        with pytest.raises(values.UnreadableError, match=words):
            values.uniform(node(r=value), "r", (2, 3, 4))


def test_factors_of_channels_and_of_pixels():
    shape = (2, 2, 3)
    one = values.per_channel(np.array(0.5), shape)
    assert one.tolist() == [[[0.5]], [[0.5]]]
    rows = values.per_channel(np.array([[[2.0]], [[3.0]]]), shape)
    assert rows.tolist() == [[[2.0]], [[3.0]]]
    whole = np.broadcast_to(np.array([2.0, 3.0])[:, None, None], shape)
    assert values.per_channel(whole.ravel(), shape).tolist() == rows.tolist()
    pixels = np.arange(12.0).reshape(shape)
    np.testing.assert_array_equal(values.per_channel(pixels, shape), pixels)
    with pytest.raises(values.UnreadableError, match=r"scale is \(3,\), its input \(2, 2, 3\)"):
        values.per_channel(np.ones(3), shape)


@pytest.mark.parametrize(
    ("fields", "dt", "want"),
    [
        # v += dt / tau * (r x - v), and v > threshold
        ({"tau": 2.0, "r": 1.0, "v_threshold": 3.0}, 1.0, (2.0, True, 3.0)),
        ({"tau": 2.0, "r": 4.0, "v_threshold": 3.0}, 1.0, (2.0, True, 0.75)),
        ({"tau": 4.0, "r": 4.0, "v_threshold": 3.0}, 1.0, (4 / 3, False, 3.0)),
        ({"tau": 4.0, "r": 8.0, "v_threshold": 3.0}, 0.5, (8 / 7, False, 3.0)),
        ({"tau": 1.0, "r": 1.0, "v_threshold": 3.0}, 1.0, (1.0, True, 3.0)),
        ({"r": 0.5, "v_threshold": 3.0}, 2.0, (1.0, False, 3.0)),
        ({"r": 0.5, "v_threshold": 3.0}, 0.5, (1.0, False, 12.0)),
    ],
)
def test_neurons_in_steps(fields, dt, want):
    found = values.neuron(node(v_leak=0.0, **fields), None, dt)
    assert found is not None
    assert (found.tau, found.decay_input, found.theta) == want
    assert values.neuron(node(**fields), None, None) is None


def test_signs_are_those_that_binarise_gives_back():
    weight = np.array([[[0.5], [-0.5], [0.5]], [[-2.0], [-2.0], [2.0]], [[0.0]] * 3])
    found = values.signs(weight)
    assert not isinstance(found, str)
    sign, scale = found
    assert sign[..., 0].tolist() == [[1, -1, 1], [-1, -1, 1], [-1, 1, 1]]
    assert scale.tolist() == [0.5, 2.0, 0.0]
    np.testing.assert_array_equal(binarise(sign[..., None]), sign[..., None])


def test_why_a_layer_is_not_binary():
    weight = np.ones((6, 4))
    weight[:, 0] = -1
    several, one = weight.copy(), weight.copy()
    several[[0, 1, 3, 4, 5], 1] = 2
    assert values.signs(several) == (
        "output channel 0, 1, 3, 4 and 1 more has weights of several magnitudes"
    )
    one[2] = 1
    found = values.signs(one)
    assert isinstance(found, str)
    assert found.startswith("output channel 2 has weights of one sign only")


def test_weights_of_few_bits_are_had_back_exactly():
    codes = np.random.default_rng(0).integers(-7, 8, (2, 5))
    codes[:, 0] = 7
    top, factor = np.float32(0.3), np.array([1.5, -0.7], np.float32)
    plain = codes.astype(np.float32) / np.float32(7) * top
    weight = plain * factor[:, None]
    told = {"weight_bits": 4, "top": float(top), "factor": factor.tolist()}
    layer = NIRNode(name="n", kind="Affine", fields={}, metadata=told)
    found = values.quantised(layer, weight)
    assert found is not None
    np.testing.assert_array_equal(found[0], plain)
    assert (found[1].tolist(), found[2]) == (factor.astype(float).tolist(), 4)
    edited = weight.copy()
    edited[1, 2] = np.nextafter(edited[1, 2], np.float32(9))
    assert values.quantised(layer, edited) is None
    for change in ({"weight_bits": 5}, {"top": 0.4}, {"factor": [1.5, 0.8]}, {"factor": "x"}):
        other = NIRNode(name="n", kind="Affine", fields={}, metadata={**told, **change})
        assert values.quantised(other, weight) is None
    assert values.quantised(node(), weight) is None
