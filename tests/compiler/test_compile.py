"""Whole networks compiled: fit and forecast."""

import pytest

from benchmarks.cycles import cifar
from hw.arch import SpikeloomError, schedule
from hw.arch.config import Config
from sim.interpreter import interpret
from sw.compiler import compile_network, fit_config
from sw.testing import random_images, random_network
from tests.networks import MNIST


@pytest.mark.parametrize(("side", "most"), [(16, 25_000), (28, 85_000)], ids=["digits", "mnist"])
def test_small_networks_fit_the_default_core(side, most):
    net = random_network(1, **MNIST | {"height": side, "width": side})
    program = compile_network(net)
    assert program.cycles <= most
    tokens = (side // 4) ** 2
    by_hand = 0
    for out, channels, wide in ((16, 8, side), (32, 16, side), (64, 32, side // 2)):
        by_hand += out * channels * (3 * wide - 2) ** 2 * 4  # no taps beyond the edges
    for out, depth, pixels in (
        (64, 64, (3 * side // 4 - 2) ** 2),
        *2 * [(64 * 4 + 256, 64, tokens), (64, 256, tokens), (2 * 64, tokens, tokens)],
    ):
        by_hand += out * depth * pixels * 4
    assert program.total_ops == by_hand
    assert program.share == by_hand / (program.cycles * 4 * 16 * 32)


def test_published_cifar_network_with_memories_as_deep_as_it_needs():
    net = cifar()
    program = compile_network(net, fit_config(net, Config(rows=8)))
    assert program.cycles <= 1_150_000
    images = random_images(net, 1)
    run = next(interpret(program, images, events=False))
    assert run.cycles == program.cycles
    assert (run.logits == net.run(images).logits[0]).all()


def test_forecast_is_the_sum_of_timing(small):
    net = random_network(1, **small)
    program = compile_network(net)
    cycles = schedule.program_cycles(program.config, program.instructions())
    assert [f.cycles for f in program.forecast] == cycles
    assert program.cycles == sum(cycles)
    assert [f.layer for f in program.forecast] == [label.layer for label in program.labels]


def test_images_wider_than_an_instruction_says_are_refused(small):
    with pytest.raises(SpikeloomError, match="width is 8192 to 8192, wanted 1 to 4095"):
        random_network(1, **small | {"height": 4, "width": 8192, "variant": "imagenet", "steps": 1})
