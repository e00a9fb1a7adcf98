"""Constants outside the chip: which, where, in what order they are moved, and what is refused."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.arch import Config, SpikeloomError
from hw.arch.isa import Op
from hw.arch.outside import Contract
from hw.common import npz
from sw.compiler import compile_network, forecast_layers
from sw.compiler.mapper import least, map_network
from sw.compiler.program import Program
from sw.compiler.report import report
from sw.testing import random_network, random_residual_network

PLAIN = Config(prog_depth=4096)
MOVER = dataclasses.replace(PLAIN, block_depth=64, outside=1)


@pytest.fixture(scope="module")
def net():
    return random_residual_network(
        3, height=8, width=8, channels=1, widths=(32, 64), blocks=(2, 1), bits=4, steps=2, classes=5
    )


@pytest.fixture(scope="module")
def moved(net):
    few = map_network(net, MOVER).needs["col_depth"]
    assert few > 256
    return compile_network(net, dataclasses.replace(MOVER, col_depth=256))


@pytest.mark.parametrize(
    "contract",
    [Contract(latency=1, period=1), Contract(latency=700, period=1), Contract(period=9)],
)
def test_what_is_computed_takes_the_same_cycles_with_any_memory(net, moved, contract):
    other = compile_network(net, moved.config, contract)
    for run in (0, 1):
        assert other.run_computing(run) == moved.run_computing(run) == sum(moved.computing(run))
        assert other.run_cycles(run) == other.run_computing(run) + sum(other.stalls(run))
        assert sum(moved.stalls(run)) > 0
    assert other.cycles != moved.cycles
    for first in (True, False):
        assert sum(forecast_layers(other, first).values()) == other.run_cycles(not first)
    assert moved.outside_words == moved.outside.size  # each word comes once


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 40), max_size=7), st.integers(0, 150))
def test_least_is_the_least(sizes, wanted):
    names = least(sizes, wanted)
    assert names == [name for name in sizes if name in names]
    sums = [
        sum(sizes[n] for n in some)
        for k in range(len(sizes) + 1)
        for some in itertools.combinations(sizes, k)
    ]
    enough = [total for total in sums if total >= wanted]
    assert sum(sizes[n] for n in names) == (min(enough) if enough else sum(sizes.values()))


def test_a_network_that_fits_compiles_as_on_a_core_without_a_mover(net):
    with_, without = compile_network(net, MOVER), compile_network(net, PLAIN)
    assert with_.words.tolist() == without.words.tolist()
    assert (with_.columns == without.columns).all()
    assert with_.regions == without.regions
    assert with_.forecast == without.forecast
    assert not with_.outside.size


def test_files_of_programs_that_move_nothing_tell_nothing_of_it(net, tmp_path):
    compile_network(net, MOVER).save(tmp_path / "p.npz")
    arrays = npz.read(tmp_path / "p.npz", sealed=True)
    assert "outside" not in arrays
    assert b"contract" not in arrays["meta"].astype(np.uint8).tobytes()


def test_each_move_stands_before_what_wants_the_blocks_of_the_one_before(moved):
    code, labels = moved.instructions(), moved.labels
    wants = [n for n, i in enumerate(code) if i.outside]
    moves = [n for n, i in enumerate(code) if i.op == Op.MOVE]
    assert len(wants) == len(moves) > 1
    assert moves[0] == int(code[0].op == Op.TABLE)
    for k, n in enumerate(moves[1:]):
        assert n == wants[k] - 1
    for want, move in zip(wants, moves, strict=True):
        assert labels[want].layer == labels[move].layer
        assert code[move].n_j == code[want].n_j * code[want].n_h
        assert code[want].par_base == code[want].par_j == code[want].par_h == 0
        assert code[want].col_base >= code[want].n_par


def test_blocks_hold_what_column_memory_would(net, moved):
    """Parameters, then weights of each column tile; word by word, bank by bank, outside."""
    inside = compile_network(net, dataclasses.replace(PLAIN, col_depth=4096))
    by_layer = dict(zip((i.layer for i in inside.labels), inside.instructions(), strict=True))
    code = list(zip(moved.instructions(), (n.layer for n in moved.labels), strict=True))
    wants = {layer: i for i, layer in code if i.outside}
    at = 0
    for i, layer in code:
        if i.op != Op.MOVE:
            continue
        assert i.out_addr == at
        own = by_layer[layer]
        weights = i.n_k - own.n_par
        skipped = wants[layer].col_base - own.n_par  # taps outside the image, of the first row
        for tile in range(i.n_j):
            block = moved.outside[at : at + i.n_k * 16].reshape(i.n_k, 16).T
            par = own.par_base + tile * own.n_par
            first = own.col_base - skipped + tile * weights
            want = [
                inside.columns[:, p : p + n, 0] for p, n in ((par, own.n_par), (first, weights))
            ]
            assert (block == np.concatenate(want, axis=1)).all()
            at += i.n_k * 16
    assert at == len(moved.outside)


def test_the_report_tells_what_comes_from_outside(net, moved):
    text = report(moved)
    assert f"total {4 * len(moved.outside)} {sum(moved.stalls())}" in " ".join(text.split())
    for layer in {i.layer for i in moved.labels if i.op == "MOVE"}:
        row = next(line for line in text.split("from outside")[1].splitlines() if layer in line)
        assert int(row.split()[3]) > 0
    assert "from outside" not in report(compile_network(net, MOVER))


def test_a_program_that_moves_is_saved_whole(moved, tmp_path):
    moved.save(tmp_path / "p.npz")
    again = Program.load(tmp_path / "p.npz")
    assert (again.outside == moved.outside).all()
    assert again.contract == moved.contract
    assert again.cycles == moved.cycles
    again.save(tmp_path / "q.npz")
    assert (tmp_path / "q.npz").read_bytes() == (tmp_path / "p.npz").read_bytes()


@pytest.mark.parametrize("change", ["short", "none", "contract"])
def test_a_program_whose_outside_is_not_whole_is_refused(moved, tmp_path, change):
    changes = {
        "short": {"outside": moved.outside[:-1]},
        "none": {"outside": np.zeros(0, np.uint32)},
        "contract": {"contract": Contract(latency=99, period=9)},
    }[change]
    dataclasses.replace(moved, **changes).save(tmp_path / "p.npz")
    with pytest.raises(SpikeloomError, match=r"make it again|damaged") as e:
        Program.load(tmp_path / "p.npz")
    assert "\n" not in str(e.value)


def test_a_faster_memory_takes_no_more_cycles(net, moved):
    times = [
        compile_network(net, moved.config, Contract(latency=a, period=b)).cycles
        for a, b in ((1, 1), (40, 2), (40, 8))
    ]
    assert times == sorted(times)
    assert times[0] < times[-1]
    assert moved.cycles == times[1]


def test_a_core_too_small_for_two_blocks_is_refused(small):
    net = random_network(1, **small | {"dim": 64})
    with pytest.raises(
        SpikeloomError, match=r"column memory: \d+ words per bank needed, 128 there"
    ):
        compile_network(net, dataclasses.replace(MOVER, col_depth=128, block_depth=64))


def test_more_than_the_memory_outside_holds_is_refused(net, moved, monkeypatch):
    monkeypatch.setattr("sw.compiler.mapper.MEGAWORD", len(moved.outside) - 1)
    with pytest.raises(SpikeloomError, match=f"memory outside: {len(moved.outside)} words needed"):
        compile_network(net, moved.config)
