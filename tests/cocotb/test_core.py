"""Whole inferences on RTL: every memory write, logits and cycles, exactly.

One compiled simulator per core configuration serves every network. Those that people know run under
cocotb, the many random ones without it (``test_testbench`` holds that both give the same).
"""

import dataclasses

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import sw
from benchmarks.cycles import cifar
from hw.arch import Config, SpikeloomError
from hw.arch.isa import Op
from sim import verilator
from sim.cocotb_run import BenchError, run_cocotb
from sim.compare import save_job
from sim.simulate import commands, frames
from sw.compiler import compile_network, fit_config
from sw.data.digits import load_digits
from sw.testing import random_images, random_network
from tests.cocotb.inference import CONFIGS, check, check_free, config

__all__ = ["config"]  # a fixture
EXAMPLES = 20


def test_digits(config):
    data = load_digits()
    network = sw.load("digits").lower()
    images = data.test_images[:8]
    logits = check(network, network.compile(config), images)
    assert (logits.argmax(axis=1) == data.test_labels[:8]).sum() >= 7


def test_a_wrong_weight_is_found_and_named(tmp_path):
    """The core gets a program with weights inverted; the bench must tell where it shows first."""
    network = sw.load("digits").lower()
    program = network.compile(CONFIGS["arty_a7"])
    images = frames(program, load_digits().test_images[:1])
    stores = [i.op == Op.GEMM and i.keep for i in program.instructions()]
    last = max(n for n, stored in enumerate(stores) if stored)
    base = program.instructions()[last].col_base
    columns = program.columns.copy()
    columns[5, base] ^= 0xFFFFFFFF
    commands(dataclasses.replace(program, columns=columns), images).write(tmp_path)
    save_job(tmp_path, program, images)
    layer = program.labels[last].layer.replace(".", r"\.")
    with pytest.raises(
        BenchError,
        match=rf"image 0, cycle \d+: layer {layer}, tensor .*, step \d, "
        r"token \d+, channel 5: residual . memory lane 5 word \d+: expected",
    ):
        run_cocotb(verilator.build(program.config), tmp_path)


@pytest.mark.slow
def test_published_cifar10_size():
    """Depth 4, D 384, H 8, T 4, 32x32x3, random weights: forecast and simulation agree."""
    network = cifar()
    config = fit_config(network, Config(rows=8, cols=16, width=32))
    program = compile_network(network, config)
    assert program.cycles <= 970_000
    check(network, program, random_images(network, 1))


@st.composite
def networks(draw):
    """Arguments of a small random network; shrinks towards few and small layers."""
    order, similarity = draw(st.sampled_from([("qk", "and"), ("kv", "and"), ("qk", "xnor")]))
    heads = draw(st.integers(1, 4))
    return {
        "seed": draw(st.integers(0, 1 << 16)),
        "height": draw(st.integers(4, 20)),
        "width": draw(st.integers(4, 20)),
        "channels": draw(st.integers(1, 3)),
        "dim": draw(st.sampled_from([d for d in (16, 24, 32, 48, 64, 96) if d % heads == 0])),
        "depth": draw(st.integers(1, 2)),
        "heads": heads,
        "mlp_ratio": draw(st.sampled_from([1, 2, 4])),
        "steps": draw(st.integers(1, 5)),
        "order": order,
        "similarity": similarity,
        "variant": draw(st.sampled_from(["imagenet", "cifar"])),
        "classes": draw(st.integers(2, 20)),
        "per_step_input": draw(st.booleans()),
    }


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)
@given(networks())
def test_random_networks(config, arguments):
    network = random_network(**arguments)
    try:
        program = compile_network(network, config)
    except SpikeloomError:
        assume(False)  # does not fit
    check_free(network, program, random_images(network, 2, arguments["seed"]))
