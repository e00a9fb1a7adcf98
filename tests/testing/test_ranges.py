"""Random networks and cores over the whole range: every kind and end is drawn."""

import pytest

from hw.arch.config import Config
from hw.arch.formats import MAX_STEPS
from sw.network import AttentionMap, BinaryLayer
from sw.network.storage import save
from sw.testing import random_core, random_wide_network
from sw.testing.ranges import CORES

SEEDS = range(111)  # the first with averages is 99


@pytest.fixture(scope="module")
def networks():
    return [random_wide_network(seed) for seed in SEEDS]


def test_every_core_is_drawn_with_memories_of_default_depth():
    cores = [random_core(seed) for seed in range(300)]
    assert {(c.rows, c.cols, c.width) for c in cores} == set(CORES)
    for core in cores:
        assert core == Config(rows=core.rows, cols=core.cols, width=core.width)
    assert random_core(7) == random_core(7)


def test_a_seed_is_a_network(tmp_path):
    for name in ("a", "b"):
        save(random_wide_network(3), tmp_path / name)
    save(random_wide_network(4), tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_both_families_and_every_kind_are_drawn(networks):
    maps = [la for net in networks for la in net.layers if isinstance(la, AttentionMap)]
    assert {(la.order, la.similarity) for la in maps} == {
        ("qk", "and"), ("qk", "xnor"), ("kv", "and")
    }  # fmt: skip
    assert {la.heads for la in maps} == {1, 2, 3, 4}
    binary = [la for net in networks for la in net.layers if isinstance(la, BinaryLayer)]
    assert {(la.stride, la.pool) for la in binary} == {(1, 1), (2, 1), (1, 2)}
    assert any(la.shortcut for la in binary)
    states = {la.neuron.state and la.neuron.state.bits for la in binary if la.neuron}
    assert states == {None, 2, 4, 8}
    assert {net.layers[0].weight.shape[2] for net in networks} == {3, 5, 7}
    assert {net.layers[0].pixel_shift for net in networks} == set(range(8))


def test_sizes_reach_their_ends(networks):
    assert {1, 2, 3} <= {net.steps for net in networks}
    assert max(net.steps for net in networks) > 8
    assert max(net.steps for net in networks) <= MAX_STEPS
    assert max(net.channels for net in networks) == 10
    assert min(min(net.height, net.width) for net in networks) < 4
    assert any(net.height % 2 for net in networks)
    assert any(net.per_step_input for net in networks)
    streams = [net for net in networks if net.stream]
    assert streams
    assert all(net.steps == 1 and not net.per_step_input for net in streams)
    assert all(net.stream or net.steps * net.height * net.width < 17**3 for net in networks)
