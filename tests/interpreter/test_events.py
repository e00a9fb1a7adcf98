"""Events and the way back from them to tensors."""

import numpy as np

from hw.arch.config import Config
from hw.arch.isa import Dest, Keep, Op
from sim.interpreter import Events, interpret, locate, recover
from sim.interpreter.events import MEMBRANE, PIXEL, RESIDUAL, Place, word_dtype
from sw.compiler import compile_network, fit_config
from sw.testing import random_images, random_network
from tests.compiler.handmade import Line, handmade


def test_locate_names_layer_step_token_and_channel(small):
    net = random_network(4, **small)
    program = compile_network(net, fit_config(net, Config()))
    events = next(interpret(program, random_images(net, 1))).events
    place = locate(program, "row", events.row[0])
    assert (place.layer, place.step, place.token, place.channel) == (net.layers[0].name, 0, 0, 0)
    last = locate(program, "res", events.res[-1])
    assert last.tensor == "block.0.x3"
    assert last.step == net.steps - 1
    assert "layer" in str(last)


def made(*parts):
    """Return a program by hand, of two steps, and empty events of it by name."""
    program = handmade(parts)
    config = program.config
    empty = {
        "row": np.zeros(0, word_dtype(config)),
        "col": np.zeros(0, word_dtype(config)),
        "res": np.zeros(0, RESIDUAL),
        "pix": np.zeros(0, PIXEL),
        "mem": np.zeros(0, MEMBRANE),
    }
    return program, empty


def test_words_as_wide_as_the_core():
    for width in (32, 64, 128):
        dtype = word_dtype(Config(width=width))
        assert dtype["data"].shape == (width // 8,)
        assert dtype["mask"].itemsize * 8 >= width // 8


def test_locate_counts_heads_and_pieces():
    part = Line(
        Op.GEMM,
        label={"layer": "a", "tensor": "t", "residual": "r", "head_width": 10, "first": 32},
    )
    program, _ = made(Line(Op.GEMM), part)
    event = np.zeros(1, RESIDUAL)
    for name, value in {"instruction": 1, "step": 2, "head": 3, "token": 4, "channel": 5}.items():
        event[name] = value
    wanted = {"layer": "a", "step": 2, "token": 4, "channel": 32 + 30 + 5}
    assert locate(program, "res", event[0]) == Place(tensor="r", **wanted)
    assert locate(program, "row", event[0]) == Place(tensor="t", **wanted)
    assert str(locate(program, "row", event[0])) == (
        "layer a, tensor t, step 2, token 4, channel 67"
    )


def test_recover_values_of_several_buffers_and_pieces():
    """Buffer B's number of channel 17, from the second of two pieces."""
    label = {"kind": "values", "tensor": "a,b", "shape": (20,), "head_width": 20}
    program, empty = made(Line(Op.MEAN, label=label), Line(Op.MEAN, label=label | {"first": 16}))
    pix = np.zeros(4, PIXEL)
    pix["instruction"] = [0, 0, 1, 1]
    pix["head"] = [0, 1, 1, 1]
    pix["channel"] = [3, 3, 1, 9]  # the last is none of the 20
    pix["value"] = [-7, 8, 9, 99]
    found = recover(program, Events(**empty | {"pix": pix}))
    assert set(found) == {"a", "b"}
    assert {n: int(v) for n, v in enumerate(found["a"]) if v} == {3: -7}
    assert {n: int(v) for n, v in enumerate(found["b"]) if v} == {3: 8, 17: 9}


def test_recover_values_of_single_tokens():
    """Rows of 4 places, 3 of them tokens; 2 channels, 2 rows."""
    label = {"kind": "values", "tensor": "m", "shape": (2, 2, 3), "head_width": 2, "pitch": 4}
    program, empty = made(Line(Op.MEAN, label=label))
    pix = np.zeros(10, PIXEL)
    pix["token"], pix["channel"], pix["value"] = np.arange(10), 1, np.arange(10) + 50
    found = recover(program, Events(**empty | {"pix": pix}))["m"]
    assert found.tolist() == [0] * 6 + [50, 51, 52, 54, 55, 56]


def test_recover_residuals():
    label = {"kind": "spikes", "residual": "r", "shape": (3, 1, 2)}
    program, empty = made(Line(Op.GEMM, {"keep": Keep.Y}, label))
    res = np.zeros(2, RESIDUAL)
    res["step"], res["channel"], res["token"], res["value"] = [1, 0], [2, 3], [1, 0], [-5, 6]
    found = recover(program, Events(**empty | {"res": res}))["r"]
    assert found.shape == (2, 3, 1, 2)
    assert found[1, 2, 0, 1] == -5
    assert np.count_nonzero(found) == 1  # channel 3 is none


def spikes(empty, memory, **values):
    events = np.zeros(1, empty[memory].dtype)
    for name, value in {"count": 1, "data": [0, 0b101, 0, 0], "first": 1, **values}.items():
        events[name] = value
    return Events(**empty | {memory: events})


def test_recover_spikes():
    """Channel-packed: the bits are channels; token-packed: they are tokens."""
    label = {"kind": "spikes", "tensor": "s", "shape": (12, 2, 5)}
    program, empty = made(Line(Op.GEMM, {"dest": Dest.ROW}, label))
    found = recover(program, spikes(empty, "row", step=1, token=7, channel=3))["s"]
    assert found.shape == (2, 12, 2, 5)
    assert np.argwhere(found).tolist() == [[1, 3, 1, 2], [1, 5, 1, 2]]
    program, empty = made(Line(Op.GEMM, {"dest": Dest.COL_CHANNEL}, label))
    found = recover(program, spikes(empty, "col", token=7, channel=3))["s"]
    assert np.argwhere(found).tolist() == [[0, 3, 1, 2], [0, 3, 1, 4]]
    program, empty = made(Line(Op.GEMM, {"dest": Dest.ROW_CHANNEL}, label | {"head_width": 4}))
    found = recover(program, spikes(empty, "row", head=2, token=8, channel=3))["s"]
    assert np.argwhere(found).tolist() == [[0, 11, 1, 3]]  # token 10 is none


def test_recover_windows_in_place_of_spikes():
    """A pooled image of 2x3 of one of 3x5; residuals have the places of before."""
    label = {"kind": "spikes", "tensor": "s", "pooled": "w", "residual": "r", "shape": (12, 3, 5)}
    program, empty = made(Line(Op.GEMM, {"dest": Dest.ROW, "keep": Keep.Y}, label))
    event = spikes(empty, "row", step=1, token=4, channel=3)
    assert locate(program, "row", event.row[0]).tensor == "w"
    assert locate(program, "res", event.row[0]).tensor == "r"
    found = recover(program, event)
    assert set(found) == {"w", "r"}
    assert found["w"].shape == (2, 12, 2, 3)
    assert np.argwhere(found["w"]).tolist() == [[1, 3, 1, 1], [1, 5, 1, 1]]
    assert found["r"].shape == (2, 12, 3, 5)


def test_recover_maps():
    label = {"kind": "map", "tensor": "m", "shape": (2, 9, 9), "head_width": 9}
    program, empty = made(Line(Op.GEMM, {"dest": Dest.ROW}, label))
    found = recover(program, spikes(empty, "row", head=1, token=4, channel=6))["m"]
    assert found.shape == (2, 2, 9, 9)
    assert np.argwhere(found).tolist() == [[0, 1, 4, 6], [0, 1, 4, 8]]
    turned = label | {"transposed": True}
    program, empty = made(Line(Op.GEMM, {"dest": Dest.COL_TOKEN}, turned))
    found = recover(program, spikes(empty, "col", head=1, token=4, channel=6))["m"]
    assert np.argwhere(found).tolist() == [[0, 1, 6, 4], [0, 1, 8, 4]]


def test_recover_kept_spikes():
    """Where nothing but a mean reads them, they are in residual memory."""
    label = {"kind": "spikes", "tensor": "s", "shape": (3, 1, 2)}
    program, empty = made(Line(Op.GEMM, {"keep": Keep.SPIKE}, label))
    res = np.zeros(1, RESIDUAL)
    res["step"], res["channel"], res["token"], res["value"] = 1, 2, 0, 1
    found = recover(program, Events(**empty | {"res": res}))["s"]
    assert found.dtype == np.uint8
    assert np.argwhere(found).tolist() == [[1, 2, 0, 0]]
