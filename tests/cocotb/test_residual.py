"""Nets of stored membranes on RTL: strides, shortcuts, pools, both schedules.

As ``test_core``: every memory write, logits and cycles, exactly.
"""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import sw
from benchmarks.cycles import resnet19
from hw.arch import Config, SpikeloomError
from hw.arch.parts import part
from sw.compiler import compile_network, fit_config
from sw.data.digits import load_digits
from sw.testing import random_images, random_residual_network
from tests.cocotb.inference import CONFIGS, check, check_free, config
from tests.networks import EDGES, PART

__all__ = ["config"]  # a fixture
EXAMPLES = 16
DRAWN = settings(
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


def test_digits_qsnn(config):
    data = load_digits()
    network = sw.load("digits-qsnn").lower()
    images = data.test_images[:4]
    logits = check(network, network.compile(config), images)
    assert (logits.argmax(axis=1) == data.test_labels[:4]).sum() >= 3


def test_digits_qsnn_step_by_step():
    """Time outermost: the same net, one call per step, membranes in memory between them."""
    images = load_digits().test_images[:2].repeat(3, axis=0)
    network = sw.load("digits-qsnn").lower(stream=True)
    config = fit_config(network, CONFIGS["arty_a7"])
    check(network, network.compile(config), images)


@st.composite
def networks(draw):
    """Arguments of a small random net; shrinks towards few and small layers."""
    residual = draw(st.booleans())
    stages = draw(st.integers(1, 3 if residual else 4))
    sizes = [3, 8, 16, 20, 32, 40]
    arguments = {
        "seed": draw(st.integers(0, 1 << 16)),
        "height": draw(st.integers(4, 20)),
        "width": draw(st.integers(4, 20)),
        "channels": draw(st.integers(1, 3)),
        "widths": tuple(draw(st.sampled_from(sizes)) for _ in range(stages)),
        "bits": draw(st.sampled_from([None, 8, 4, 2, 0])),
        "steps": draw(st.integers(1, 5)),
        "classes": draw(st.integers(2, 20)),
        "per_step_input": draw(st.booleans()),
    }
    if residual:
        arguments |= {
            "blocks": tuple(draw(st.integers(1, 2)) for _ in range(stages)),
            "stem": draw(st.sampled_from([3, 7])),
        }
    else:
        halve = [n for n in range(1, stages) if draw(st.booleans())]
        arguments |= {
            "halve": tuple(halve[:2]),
            "pooled": draw(st.booleans()),
            "flatten": draw(st.booleans()),
        }
    return arguments


@DRAWN
@given(networks())
def test_random_nets(config, arguments):
    network = random_residual_network(**arguments)
    try:
        program = compile_network(network, config)
    except SpikeloomError:
        assume(False)  # does not fit
    check_free(network, program, random_images(network, 2, arguments["seed"]))


@DRAWN
@given(networks())
def test_random_streams(config, arguments):
    bits = arguments["bits"] or 2
    arguments |= {"steps": 1, "per_step_input": False, "stream": True, "bits": bits}
    network = random_residual_network(**arguments)
    try:
        program = compile_network(network, config)
    except SpikeloomError:
        assume(False)  # does not fit
    check_free(network, program, random_images(network, 4, arguments["seed"]))


@pytest.mark.parametrize("core", ["arty_a7", "r4c8w32"])  # the latter without prefetch
def test_small_images(core):
    """Kernels that reach beyond them, strides, pools: words outside the image are left out."""
    assert [CONFIGS[name].prefetch for name in ("arty_a7", "r4c8w32")] == [1, 0]
    for seed, arguments in enumerate(EDGES.values()):
        network = random_residual_network(seed, **arguments)
        check_free(
            network, compile_network(network, CONFIGS[core]), random_images(network, 2, seed)
        )


@pytest.mark.parametrize("seed", range(3))
def test_the_core_stated_for_a_small_part(seed):
    """One threshold in registers, single bits of residual memory."""
    network = random_residual_network(seed, **PART, pooled=bool(seed % 2))
    program = compile_network(network, part("ice40up5k").config)
    check(network, program, random_images(network, 2, seed))


@pytest.mark.slow
def test_published_resnet19_size():
    """128 to 512 channels, 3, 3 and 2 blocks, T 2, 32x32x3, random weights."""
    network = resnet19()
    config = fit_config(network, Config(rows=8, cols=16, width=32))
    check(network, compile_network(network, config), random_images(network, 1))
