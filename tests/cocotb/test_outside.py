"""Constants from outside on RTL: every write, cycles, stalls and logits; and memories that fail."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks import outside
from hw.arch import Config
from hw.arch.memmap import Stopped
from hw.arch.outside import PATIENCE, Contract
from hw.build import outside as build
from sim import verilator
from sim.simulate import frames
from sim.testbench import Commands, run_free
from sw.compiler import compile_network, fit_config
from sw.compiler.mapper import map_network
from sw.testing import random_images, random_network, random_residual_network
from tests.cocotb.inference import check_free

#: Memories as deep as all the networks here need; constants of few of them fit.
CORES = {
    "r4": Config(row_depth=1024, col_depth=284, prog_depth=4096, block_depth=64, acc_bits=14),
    "r8": Config(
        rows=8, cols=8, width=64, col_depth=430, prog_depth=4096, block_depth=64, prefetch=0
    ),
}
CONTRACTS = (Contract(latency=1, period=1), Contract(), Contract(latency=150, period=5))
ATTENTION = {
    "height": 16,
    "width": 16,
    "channels": 1,
    "dim": 64,
    "depth": 1,
    "heads": 2,
    "mlp_ratio": 4,
    "steps": 2,
    "similarity": "and",
    "variant": "cifar",
    "classes": 10,
}
RESIDUAL = {"height": 12, "width": 12, "channels": 3, "widths": (32, 64), "blocks": (2, 1)}


def networks():
    """Attention in both orders, whose keys and values go where blocks come; residual networks."""
    for seed, order in enumerate(("qk", "kv")):
        yield random_network(seed, order=order, **ATTENTION)
    yield random_residual_network(3, bits=4, steps=2, classes=5, **RESIDUAL)


@pytest.mark.parametrize("core", CORES)
def test_networks_whose_constants_come_from_outside(core):
    config, moved = CORES[core], 0
    for network, contract in zip(networks(), CONTRACTS, strict=True):
        if core == "r4":
            assert map_network(network, config).constants.blocks, network.name
        program = compile_network(network, config, contract)
        check_free(network, program, random_images(network, 2))
        assert (sum(program.stalls()) > 0) == (program.outside.size > 0)
        moved += program.outside.size > 0
    assert moved >= 2


def one():
    network = random_residual_network(3, bits=4, steps=2, classes=5, **RESIDUAL)
    program = compile_network(network, CORES["r4"])
    image = frames(program, random_images(network, 1))[0]
    return program, image, network.run(image[None]).logits[0].tolist()


def play(program, image, runs):
    """Runs of one image: (latency of the memory outside, limit, cycle of an abort)."""
    commands = Commands()
    commands.outside(program.outside, program.contract)
    commands.load(program.load_stream())
    for n, (latency, limit, abort) in enumerate(runs):
        commands.outside(program.outside, dataclasses.replace(program.contract, latency=latency))
        commands.load(program.image_stream(image))  # whose place a run takes
        commands.limit(limit)
        commands.start(n, 4 * program.first_cycles + 40 * PATIENCE, abort)
        base = program.logits_base
        commands.peek(range(base, base + program.classes))
    with tempfile.TemporaryDirectory(prefix="spikeloom-outside-") as name:
        commands.write(Path(name))
        return run_free(verilator.build(program.config), Path(name), log=False).runs


def test_a_memory_that_never_answers_is_stopped_by_the_watchdog_and_the_next_run_is_good():
    program, image, logits = one()
    good = program.contract.latency
    limit = 2 * program.first_cycles
    runs = play(program, image, [(1 << 30, limit, 0), (good, 0, 0), (good, 0, 0)])
    assert runs[0].stopped == Stopped.WATCHDOG
    assert runs[0].stalls > 1000
    for n in (1, 2):
        assert runs[n].stopped == Stopped.NO
        assert runs[n].words == logits
    assert runs[2].counted == program.cycles


def test_a_memory_that_gives_nothing_is_not_waited_for_for_ever():
    """Without a limit too: the run ends by itself, says why, and the next one is good."""
    program, image, logits = one()
    good = program.contract.latency
    runs = play(program, image, [(1 << 30, 0, 0), (good, 0, 0), (PATIENCE - 100, 0, 0)])
    assert runs[0].stopped == Stopped.OUTSIDE
    assert PATIENCE <= runs[0].stalls < PATIENCE + 10
    assert runs[0].counted < 2 * PATIENCE
    assert runs[1].stopped == Stopped.NO
    assert runs[1].words == logits
    assert runs[2].stopped == Stopped.NO  # slow, but there
    assert runs[2].words == logits


def test_aborts_while_blocks_come_leave_nothing_behind():
    program, image, logits = one()
    good = program.contract.latency
    cycles = np.random.default_rng(0).integers(60, program.cycles - 100, 6).tolist()
    plan = [run for cycle in cycles for run in ((good, 0, cycle), (good, 0, 0))]
    runs = play(program, image, plan)
    for stopped, after in zip(runs[::2], runs[1::2], strict=True):
        assert stopped.stopped == Stopped.ABORTED
        assert after.stopped == Stopped.NO
        assert after.words == logits
        assert after.counted in (program.cycles, program.first_cycles)
        assert after.stalls in (sum(program.stalls(0)), sum(program.stalls(1)))


def test_fitting_keeps_what_a_mover_can_bring_outside():
    """Depths grow for what is not a constant alone."""
    network = next(networks())
    config = dataclasses.replace(CORES["r4"], row_depth=64, prog_depth=64)
    fitted = fit_config(network, config)
    assert fitted.col_depth == config.col_depth
    assert compile_network(network, fitted).outside.size


@pytest.mark.slow
@pytest.mark.parametrize("case", outside.CASES, ids=lambda c: f"{c.board}-{c.network.__name__}")
def test_published_networks(case):
    """Whole, with the memory of each board's contract in the loop; one that fits no board too."""
    network = case.network()
    board = outside.core_of(case, network)
    program = compile_network(network, board.config, build.contract(board))
    assert sum(program.stalls()) > 0
    check_free(network, program, random_images(network, 1))


@pytest.mark.parametrize(
    "sizes",
    [
        {"height": 13, "width": 11, "channels": 3, "bits": 2, "steps": 3},
        {"height": 9, "width": 15, "channels": 4, "bits": 4, "steps": 1},
        {"height": 8, "width": 8, "channels": 2, "bits": 8, "steps": 1, "stream": True},
    ],
    ids=["odd", "four channels", "stream"],
)
def test_sizes_channels_and_streams(sizes):
    config = dataclasses.replace(CORES["r4"], row_depth=2048, col_depth=220, outside=1)
    network = random_residual_network(5, widths=(32, 64), blocks=(2, 1), classes=7, **sizes)
    program = compile_network(network, config)
    assert program.outside.size
    check_free(network, program, random_images(network, 2))
