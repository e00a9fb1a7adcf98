"""What the checks of an integer network refuse: every limit, and the last value inside it."""

import dataclasses

import numpy as np
import pytest

from hw.arch import formats, isa
from hw.common.errors import SpikeloomError
from sw.network import Neuron, State
from sw.network.checks import MAX_COUNT, PRODUCT_MAX, THETA_MAX, Ranges
from sw.testing import random_residual_network
from tests.network import handmade

RESIDUAL = {
    "height": 11,
    "width": 14,
    "channels": 1,
    "steps": 3,
    "classes": 4,
    "widths": (8, 8, 24),
    "blocks": (1, 2, 1),
}


@pytest.mark.parametrize("change", ["bits", "thresholds", "shift", "soft"])
def test_wrong_states_are_refused(change):
    network = random_residual_network(2, **RESIDUAL, bits=4)
    layer = network.layers[0]
    state = layer.neuron.state
    neuron = {
        "bits": lambda: dataclasses.replace(state, bits=3),
        "thresholds": lambda: dataclasses.replace(state, thresholds=state.thresholds[::-1].copy()),
        "shift": lambda: dataclasses.replace(state, shift=2),
        "soft": lambda: state,
    }[change]()
    neuron = dataclasses.replace(layer.neuron, state=neuron, soft=change == "soft")
    layers = (dataclasses.replace(layer, neuron=neuron), *network.layers[1:])
    message = {
        "bits": "a state of 3 bits",
        "thresholds": "must ascend",
        "shift": "shift 2",
        "soft": "resets to 0 only",
    }
    with pytest.raises(SpikeloomError, match=message[change]):
        network.replace(layers=layers)


def shapes(**tensors):
    ask = handmade.shapes(tensors)
    ask.layer = "conv"
    return ask


def ranges(**tensors):
    ask = shapes(**tensors)
    found = Ranges(ask.network, ask, frozenset())
    found.where = "layer conv: "
    return found


def fails(message):
    return pytest.raises(SpikeloomError, match=f"^Integer network net: layer conv: {message}")


def test_the_limits_are_those_of_the_core():
    """36 bits of a product, 16 of a count, 18 of a membrane, in two's complement."""
    assert (PRODUCT_MAX, MAX_COUNT) == (34_359_738_367, 32_767)
    assert THETA_MAX == min(131_071, isa.BY_NAME["theta"].most)


def test_tensors_are_written_once_and_before_they_are_read():
    ask = shapes(a=(1, 2, 3))
    assert ask.of("a", 3) == (1, 2, 3)
    with fails("reads 'b', which no earlier layer writes"):
        ask.of("b", 3)
    with fails(r"reads 'a' of shape \(1, 2, 3\), wanted 1 axes"):
        ask.of("a", 1)
    with fails("writes 'a' a second time"):
        ask.put("a", (1, 2, 3))


def test_shapes_and_choices():
    ask = shapes()
    ask.want("bias", (2,), (2,))
    with fails(r"bias has shape \(2,\), wanted \(3,\)"):
        ask.want("bias", (2,), (3,))
    ask.choice("stride", 2, (1, 2))
    with fails("stride must be 1 or 2, not 0"):
        ask.choice("stride", 0, (1, 2))


@pytest.mark.parametrize(("channels", "heads", "order"), [(6, 3, "qk"), (6, 6, "kv"), (6, 1, "qk")])
def test_heads_that_divide(channels, heads, order):
    shapes().heads(channels, heads, order)


@pytest.mark.parametrize(
    ("heads", "order", "message"),
    [
        (4, "qk", "6 channels do not divide into 4 heads"),
        (0, "kv", "6 channels do not divide into 0 heads"),
        (-3, "kv", "6 channels do not divide into -3 heads"),
        (3, "vk", "order must be qk or kv, not 'vk'"),
    ],
)
def test_heads_that_do_not(heads, order, message):
    with fails(message):
        shapes().heads(6, heads, order)


@pytest.mark.parametrize("value", [3, 7, (3, 7), np.array([[3], [7]]), np.uint8(5), np.int8(4)])
def test_bounds_include_both_ends(value):
    ranges().bound("bits", value, 3, 7)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2, "bits is 2 to 2, wanted 3 to 7"),
        (8, "bits is 8 to 8, wanted 3 to 7"),
        ((5, 8, 2), "bits is 2 to 8, wanted 3 to 7"),
        (5.0, r"bits must hold integers, not float64 of shape \(\)"),
        (True, "bits must hold integers, not bool"),
        ((), r"bits must hold integers, not float64 of shape \(0,\)"),
        (np.zeros((0, 3), int), r"bits must hold integers, not int64 of shape \(0, 3\)"),
    ],
)
def test_values_out_of_bounds(value, message):
    with fails(message):
        ranges().bound("bits", value, 3, 7)


def test_sums_and_counts():
    ranges().accumulator(PRODUCT_MAX)
    with fails(f"sums reach {PRODUCT_MAX + 1}, the accumulator holds {PRODUCT_MAX}; lower with f"):
        ranges().accumulator(PRODUCT_MAX + 1)
    ranges().counts(MAX_COUNT)
    with fails(f"counts reach {MAX_COUNT + 1}, an array element holds {MAX_COUNT} at most"):
        ranges().counts(MAX_COUNT + 1)


def test_tokens_and_heads_of_an_instruction():
    tokens, heads = isa.BY_NAME["img_w"].most, isa.BY_NAME["n_h"].most
    ranges(q=(4, 1, tokens)).tokens("q", heads)
    ranges(q=(4, tokens, 1)).tokens("q", 1)
    with fails(f"tokens is {tokens + 1} to "):
        ranges(q=(4, 1, tokens + 1)).tokens("q", 1)
    with fails(f"tokens is {2 * tokens} to "):
        ranges(q=(4, 2, tokens)).tokens("q", 1)
    with fails(f"heads is {heads + 1} to "):
        ranges(q=(4, 1, 1)).tokens("q", heads + 1)


def state(bits=4, shift=4, thresholds=None, **neuron):
    """A neuron whose thresholds are a step apart."""
    levels = formats.state_levels(bits)
    if thresholds is None:
        thresholds = np.arange(1, levels + 1) * formats.state_cell(shift)
    kept = State(bits=bits, thresholds=np.array(thresholds), shift=shift)
    return Neuron(**{"name": "s", "theta": 9, "state": kept} | neuron)


def test_thresholds_of_neurons():
    for theta in (1, THETA_MAX):
        ranges().neuron(Neuron(name="s", theta=theta))
    for theta in (0, -1, THETA_MAX + 1):
        with fails(f"theta is {theta} to {theta}, wanted 1 to {THETA_MAX}"):
            ranges().neuron(Neuron(name="s", theta=theta))


@pytest.mark.parametrize("shift", formats.STATE_SHIFTS)
@pytest.mark.parametrize("bits", formats.STATE_BITS)
def test_states_that_there_are(bits, shift):
    ranges().neuron(state(bits, shift))


OUT = formats.STATE_MAX + 1  # of a threshold that is never reached


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (state(bits=3), "a state of 3 bits and shift 4; wanted bits of "),
        (state(bits=4, shift=5), "a state of 4 bits and shift 5; wanted bits of "),
        (state(soft=True), "a neuron with a state resets to 0 only, not by subtraction"),
        (state(thresholds=[32, 64]), r"\(2,\) thresholds of a state, wanted \(7,\)"),
        (state(thresholds=[[32] * 7]), r"\(1, 7\) thresholds of a state, wanted \(7,\)"),
        (state(bits=2, thresholds=[0]), f"thresholds is 0 to 0, wanted 1 to {OUT}"),
        (state(bits=2, thresholds=[OUT + 1]), f"thresholds is {OUT + 1} to {OUT + 1}, wanted 1"),
        (
            state(thresholds=[32, 64, 96, 95, OUT, OUT, OUT]),
            "the thresholds of a state must ascend",
        ),
        (
            state(thresholds=[32, 64, 95, 90 + 4, OUT, OUT, OUT]),
            "the thresholds of a state must ascend",
        ),
        (
            state(thresholds=[32, 64, 65, 128, OUT, OUT, OUT]),
            "thresholds of a state of shift 4 must lie in cells of 32 units of their own, below "
            "16384",
        ),
        (
            state(shift=1, thresholds=[4, 8, 12, 16, 20, 24, 511 * 4]),
            "thresholds of a state of shift 1 must lie in cells of 4 units of their own, below "
            "2044",
        ),
    ],
)
def test_states_that_no_lane_has(neuron, message):
    with fails(message):
        ranges().neuron(neuron)


@pytest.mark.parametrize(
    ("shift", "thresholds"),
    [
        (4, [31, 32, 95, 96, 16_382, OUT, OUT]),  # both ends of cells, the last cell
        (1, [3, 4, 11, 12, 511 * 4 - 1, OUT, OUT]),
        (4, [OUT] * 7),
    ],
)
def test_cells_may_be_full_and_thresholds_never_reached(shift, thresholds):
    ranges().neuron(state(shift=shift, thresholds=thresholds))
