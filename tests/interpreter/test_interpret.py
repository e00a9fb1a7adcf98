"""The interpreter of compiled programs gives what the golden model gives, in every tensor."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw.arch import timing
from hw.arch.config import Config
from sim.interpreter import Machine, interpret
from sw.compiler import compile_network, fit_config
from sw.testing import random_images, random_network

CONFIGS = {
    "R4C16W32": Config(),
    "R8C16W32": Config(rows=8),
    "R4C8W32": Config(cols=8),
    "R8C8W64": Config(rows=8, cols=8, width=64),
    "R16C32W64": Config(rows=16, cols=32, width=64),
    "R8C64W128": Config(rows=8, cols=64, width=128),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("name", ["best_digits", "best_kv_a"])
def test_fixture_equals_golden(name, config, fixture_network, check):
    net, images = fixture_network(name)
    check(net, config, images)


@st.composite
def networks(draw):
    heads = draw(st.integers(1, 4))
    unit = math.lcm(8, heads)
    order = draw(st.sampled_from(["qk", "kv"]))
    side = st.integers(4, 22)
    return {
        "seed": draw(st.integers(0, 10**6)),
        "height": draw(side),
        "width": draw(side),
        "channels": draw(st.integers(1, 3)),
        "dim": unit * draw(st.integers(1, max(1, 40 // unit))),
        "depth": draw(st.integers(1, 2)),
        "heads": heads,
        "mlp_ratio": draw(st.integers(1, 3)),
        "steps": draw(st.integers(1, 4)),
        "order": order,
        "similarity": draw(st.sampled_from(["and", "xnor"])) if order == "qk" else "and",
        "variant": draw(st.sampled_from(["cifar", "imagenet"])),
        "classes": draw(st.sampled_from([2, 10, 19])),
        "per_step_input": draw(st.booleans()),
    }


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(arguments=networks(), config=st.sampled_from(list(CONFIGS.values())))
def test_random_network_equals_golden(arguments, config, check):
    net = random_network(**arguments)
    check(net, config, random_images(net, 2, arguments["seed"]))


@pytest.mark.parametrize("order", ["qk", "kv"])
@pytest.mark.parametrize("config", list(CONFIGS.values())[:4], ids=list(CONFIGS)[:4])
def test_result_does_not_depend_on_old_memory(order, config, small):
    net = random_network(5, **small | {"height": 20, "width": 13, "dim": 24, "order": order})
    program = compile_network(net, fit_config(net, config))
    machine, rng = Machine(program), np.random.default_rng(0)
    used = program.columns.shape[1]
    machine.row[:] = rng.integers(0, 256, machine.row.shape)
    machine.col[:, used:] = rng.integers(0, 256, machine.col[:, used:].shape)
    machine.res[:] = rng.integers(-(1 << 17), 1 << 17, machine.res.shape)
    machine.pix[:] = rng.integers(-(1 << 17), 1 << 17, machine.pix.shape)
    images = random_images(net, 3)
    for image, logits in zip(images, net.run(images).logits, strict=True):
        np.testing.assert_array_equal(machine.run(image, events=False).logits, logits)


def test_events_have_the_documented_cycles(small):
    """Cycles of writes, worked out by hand for the first layer and the logits."""
    net = random_network(3, **small)
    config = fit_config(net, Config())
    program = compile_network(net, config)
    run = next(interpret(program, random_images(net, 1)))
    first = program.instructions()[0]
    row = run.events.row[run.events.row["instruction"] == 0]
    assert first.clip
    tau = timing.START + first.n_par + 6 - 1  # pixel 0: two rows of three taps of one channel
    assert row["cycle"].min() == tau + timing.write_cycle(config)
    last = program.instructions()[-2]
    pix = run.events.pix[run.events.pix["instruction"] == len(program.labels) - 2]
    start = run.cycles - 1 - timing.overhead(config, last) - timing.issue_cycles(last)
    tau = start + last.n_par + last.n_k - 1
    cycles = tau + timing.write_cycle(config) + np.arange(config.cols)
    np.testing.assert_array_equal(pix["cycle"], cycles)
    np.testing.assert_array_equal(pix["addr"], program.logits_base + np.arange(config.cols))


def test_events_are_sorted_and_one_write_per_port(small):
    net = random_network(4, **small | {"order": "kv", "variant": "imagenet", "height": 17})
    program = compile_network(net, fit_config(net, Config(rows=8)))
    events = next(interpret(program, random_images(net, 1))).events
    for memory, ports in (
        ("row", ["bank"]),
        ("col", ["bank"]),
        ("res", ["buffer", "lane"]),
        ("pix", []),
    ):
        e = getattr(events, memory)
        assert (np.diff(e["cycle"]) >= 0).all()
        keys = np.stack([e["cycle"], *(e[p].astype(np.int64) for p in ports)], axis=1)
        assert len(np.unique(keys, axis=0)) == len(e), memory


def test_no_event_after_the_drain(small):
    net = random_network(4, **small)
    program = compile_network(net, fit_config(net, Config()))
    run = next(interpret(program, random_images(net, 1)))
    ends = np.cumsum(run.instruction_cycles)
    for memory in ("row", "col", "res", "pix"):
        e = getattr(run.events, memory)
        assert len(e)
        assert (e["cycle"] < ends[e["instruction"]]).all()


def test_without_events_nothing_is_recorded(small):
    net = random_network(4, **small)
    program = compile_network(net, fit_config(net, Config()))
    images = random_images(net, 1)
    run = next(interpret(program, images, events=False))
    assert run.events is None
    np.testing.assert_array_equal(run.logits, net.run(images).logits[0])
