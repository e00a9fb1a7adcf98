"""The comparison itself, without a simulator: each kind of difference is found and named."""

import numpy as np
import pytest

from hw.arch import Config
from hw.arch.isa import Dest
from sim.compare import Expected, first_difference
from sim.interpreter import interpret
from sim.testbench import NOT_BUSY, WRITE
from sw.compiler import compile_network
from sw.testing import random_images, random_network, random_residual_network
from tests.networks import SMALL


@pytest.fixture(scope="module")
def expected():
    sizes = {"height": 9, "width": 9, "dim": 32, "mlp_ratio": 1, "classes": 4}
    network = random_network(3, **SMALL | sizes | {"variant": "imagenet"})
    program = compile_network(network, Config())
    (run,) = interpret(program, random_images(network, 1))
    return Expected(program, run.events, 0)


def of_dest(expected, dest):
    """Index of the tenth write of the first instruction with this destination."""
    code = expected.program.instructions()
    n = next(i for i, c in enumerate(code) if c.dest == dest)
    name = {Dest.ROW: "row", Dest.COL_CHANNEL: "col", Dest.COL_TOKEN: "col", Dest.PIX: "pix"}[dest]
    memory = {"row": 0, "col": 1, "pix": 4}[name]
    events = getattr(expected.events, name)
    index = np.flatnonzero(events["instruction"] == n)[3]
    at = np.flatnonzero((expected.origin == [memory, index]).all(axis=1))[0]
    return int(at), events[index], expected.program.labels[n]


def test_equal(expected):
    assert first_difference(expected, expected.writes.copy(), 0) is None


@pytest.mark.parametrize(
    ("dest", "along"),
    [(Dest.ROW, "channel"), (Dest.COL_TOKEN, "channel"), (Dest.COL_CHANNEL, "token")],
)
def test_one_bit(expected, dest, along):
    at, event, label = of_dest(expected, dest)
    got = expected.writes.copy()
    offset = 3
    got["lo"][at] ^= np.uint64(1 << (8 * int(event["first"]) + offset))
    found = first_difference(expected, got, 2)
    place = {
        "token": int(event["token"]),
        "channel": int(event["channel"]) + int(event["head"]) * label.head_width,
    }
    place[along] += offset
    assert (found.image, found.cycle, found.layer) == (2, event["cycle"], label.layer)
    assert (found.step, found.token, found.channel) == (
        event["step"],
        place["token"],
        place["channel"],
    )
    assert f"step {found.step}, token {found.token}, channel {found.channel}" in str(found)


def test_byte_enables_count(expected):
    at, event, _ = of_dest(expected, Dest.ROW)
    got = expected.writes.copy()
    got["en"][at] ^= 1 << 3
    assert first_difference(expected, got, 0).cycle == event["cycle"]


def test_missing_and_late(expected):
    at, event, label = of_dest(expected, Dest.PIX)
    got = np.delete(expected.writes, at)
    found = first_difference(expected, got, 0)
    assert found.layer == label.layer
    assert "got no write (the other side never writes this word)" in found.what
    late = expected.writes[at : at + 1].copy()
    late["cycle"] += 1
    order = np.concatenate([got, late])
    order = order[np.lexsort([order[n] for n in ("addr", "bank", "mem", "cycle")])]
    found = first_difference(expected, order, 0)
    assert (found.layer, found.cycle) == (label.layer, event["cycle"])
    assert f"the other side writes it in cycle {event['cycle'] + 1}" in found.what


def test_surplus(expected):
    extra = np.zeros(1, WRITE)
    extra["cycle"], extra["mem"], extra["bank"], extra["en"] = 5, 2, 7, 1
    found = first_difference(expected, np.concatenate([extra, expected.writes]), 0)
    assert found.cycle == 5
    assert found.what.startswith("residual A memory lane 7 word 0: expected no write, got 0")
    extra["cycle"] = NOT_BUSY
    found = first_difference(expected, np.concatenate([expected.writes, extra]), 0)
    assert "written while the core is not busy" in found.what


def test_codes_of_membranes():
    network = random_residual_network(
        3,
        height=7,
        width=6,
        channels=1,
        widths=(8,),
        blocks=(1,),
        bits=4,
        steps=1,
        stream=True,
        classes=4,
    )
    program = compile_network(network, Config())
    (run,) = interpret(program, random_images(network, 1))
    expected = Expected(program, run.events, 0)
    assert first_difference(expected, expected.writes.copy(), 0) is None
    at = int(np.flatnonzero((expected.writes["mem"] == 5) & (expected.writes["en"] == 2))[7])
    event = run.events.mem[expected.origin[at, 1]]
    got = expected.writes.copy()
    got["lo"][at] ^= np.uint64(1 << 9)
    found = first_difference(expected, got, 0)
    label = program.labels[int(event["instruction"])]
    assert (found.layer, found.tensor) == (label.layer, label.tensor)
    assert (found.token, found.channel) == (event["token"], event["channel"])
    value = int(event["value"])
    assert found.what == (
        f"membrane memory lane {event['lane']} word {event['addr']}: expected 0x{value:02x} (high "
        f"byte), got 0x{value ^ 2:02x} (high byte)"
    )
