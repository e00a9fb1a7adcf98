"""Lane events: each field in its cycle, of row events and of issued words."""

import dataclasses

import pytest

from hw.arch import Config, isa, timing
from hw.arch.formats import SHIFTS
from hw.arch.isa import Dest, Keep, Op, Res
from hw.core.events import EXPAND
from hw.core.lane_events import LaneEvents, lane_event
from hw.core.mixer import Source
from hw.core.words import MEAN_BIAS, MEAN_FACTOR
from tests.unit.bench import Bench, timeline
from tests.unit.lanes import SOURCES, shut

CONFIG = Config(rows=4, cols=8, width=32)
INPUTS = ["insn", "early", "word", "peek", "address", "row", "pops", "pixel"]
CYCLES = timing.STATE_WRITE + 10


@pytest.fixture(scope="module")
def bench():
    return Bench(LaneEvents(CONFIG), INPUTS, ["event"])


def play(bench, op, early, at, **fields):
    """Events by cycle, of stimulus ``at`` {cycle: ports}."""
    insn = sum(w << 32 * n for n, w in enumerate(isa.encode(op, **fields)))
    rows = [{**r, "insn": insn, "early": early} for r in timeline(CYCLES)]
    for cycle, ports in at.items():
        rows[cycle] |= ports
    return [s["event"] for s in bench.play(rows)]


def when(events, field):
    return {n: e[field] for n, e in enumerate(events) if e[field]}


TAG = {"n_valid": 4, "nb": 6, "t": 5, "half": 1, "new": 1, "res": 20, "start": 1}


def test_a_row_of_a_gemm(bench):
    """tau = 0: row 3 of a tile whose first token is number 6, so token 9, in group 20 + 7."""
    row = {"due": 1, "first": 1, "count": 3, "row": 3, "tag": TAG}
    early = {"gemm": 1, "res_gs": 7, "per_step": 1}
    at = {EXPAND: {"row": row}, timing.ACC - 1: {"pops": 11}}
    events = play(bench, Op.GEMM, early, at, keep=int(Keep.Y), rowpop=1, dest=int(Dest.PIX))
    word = (20 + 7) << 2 | 9 % 4
    assert when(events, "side") == {timing.S_READY: -11}
    assert events[timing.S_READY]["use"] == 5 | 1 << 4
    assert not when(events, "swap")
    assert events[timing.PICKED - 2]["read_b"] == word
    for field, cycle in (
        ("load", timing.PICKED),
        ("on_bus", timing.X),
        ("fire", timing.Y),
        ("store", timing.Y),
    ):
        assert when(events, field) == {cycle: 1}, field
    assert events[timing.Y]["row"] == 3
    assert events[timing.Y]["start"] == 1
    assert events[timing.Y]["res_write"] == word
    assert all(e["first"] for e in events)


def test_a_tile_whose_spikes_are_pooled_is_a_residual_group(bench):
    row = {"due": 1, "row": 3, "tag": TAG}
    early = {"gemm": 1, "res_gs": 7, "fused": 1}
    events = play(bench, Op.GEMM, early, {EXPAND: {"row": row}}, keep=int(Keep.Y))
    assert events[timing.Y]["res_write"] == 20 << 2 | 3


def test_the_first_row_of_a_column_tile_swaps_the_bias(bench):
    row = {"due": 1, "opens": 1, "first": 1, "row": 0, "tag": TAG}
    events = play(bench, Op.GEMM, {"gemm": 1}, {EXPAND: {"row": row}})
    assert when(events, "swap") == {timing.S_READY: 1}
    row = {"due": 1, "opens": 1, "first": 1, "row": 0, "tag": {**TAG, "new": 0}}
    assert not when(play(bench, Op.GEMM, {"gemm": 1}, {EXPAND: {"row": row}}), "swap")


def test_what_is_kept_is_summed_and_the_mean_takes_x():
    """Row 0 opens the sum; behind row 3 of the last tile, seven cycles on, x takes it."""
    bench = Bench(LaneEvents(CONFIG), ["insn", "early", "word", "row", "pops", "pixel"], ["event"])
    for mean in (Keep.NONE, Keep.Y, Keep.SPIKE):
        for closes in (0, 1):
            tag = {**TAG, "closes": closes, "n_valid": 3}
            at = {
                EXPAND + r: {
                    "row": {"due": 1, "opens": int(r == 0), "first": 1, "count": r, "row": r}
                    | {"tag": tag}
                }
                for r in range(4)
            }
            fields = {"mean": int(mean), "shift": 1, "mean_shift": 2}
            events = play(bench, Op.GEMM, {"gemm": 1}, at, **fields)
            takes = timing.PICKED + timing.mean_row(CONFIG) if mean and closes else None
            begin = timing.Y + 2
            assert when(events, "adds_1") == ({begin + r: 1 for r in range(3)} if mean else {})
            assert when(events, "first_1") == {begin: 1}
            other = {n: e["shut"] for n, e in enumerate(events) if e["shut"] != shut(1)}
            assert other == ({takes - 1: shut(2)} if takes else {})
            loads = [timing.PICKED + r for r in range(4)] + ([takes] if takes else [])
            assert sorted(when(events, "load")) == loads
            assert sorted(when(events, "takes")) == loads
            assert when(events, "on_bus") == ({takes + 1: 1} if takes else {})
            assert sorted(when(events, "fire")) == [timing.Y + r for r in range(4)]
            assert not when(events, "store")


def test_a_row_that_is_no_token_is_not_stored(bench):
    row = {"due": 1, "row": 3, "tag": {**TAG, "n_valid": 3}}
    events = play(bench, Op.GEMM, {"gemm": 1}, {EXPAND: {"row": row}}, keep=int(Keep.Y))
    assert not when(events, "store")
    assert when(events, "fire")


def test_a_word_of_a_mac(bench):
    word = {"valid": 1, "first": 1, "new": 1, "half": 1}
    at = {0: {"word": word}, timing.S_READY: {"pixel": [-77, 0, 5, 0]}}
    events = play(bench, Op.MAC, {"mac": 1}, at)
    assert when(events, "swap") == {timing.S_READY: 1}
    assert when(events, "first") == {timing.S_READY + 1: 1}
    assert when(events, "side") == {timing.S_READY: -77}
    assert when(events, "pixel_2") == {timing.S_READY: 5}
    assert when(events, "use") == {timing.S_READY: 1 << 4}
    weight = timing.S_READY - 1
    assert when(events, "par_factor") == {weight: 1}
    assert events[weight]["par_entry"] == 1 << 4
    assert not when(events, "par_bias")
    assert not when(events, "adds")
    # unit 1 a cycle later, with every word
    assert when(events, "bias_1") == {timing.S_READY: 1}
    assert when(events, "first_1") == {timing.S_READY + 2: 1}
    assert all(e["factor_1"] and e["adds_1"] for e in events)


@pytest.mark.parametrize("first", [1, 0])
def test_a_pixel_of_a_mac(bench, first):
    """x is the sum of the pixel's unit; in a later pass what it was."""
    row = {"due": 1, "first": first, "count": 2, "row": 2, "tag": TAG}
    events = play(bench, Op.MAC, {"mac": 1}, {EXPAND: {"row": row}})
    assert when(events, "unit") == {timing.PRODUCT: 2}
    assert when(events, "load") == {timing.PICKED: 1}
    assert when(events, "takes") == ({timing.PICKED: 1} if first else {})
    assert (events[timing.Y]["row"], events[timing.Y]["start"]) == (2, first)
    gemm = play(bench, Op.GEMM, {"gemm": 1}, {EXPAND: {"row": {**row, "first": 1}}})
    assert not when(gemm, "unit")
    one = Bench(LaneEvents(dataclasses.replace(CONFIG, pixels=1)), INPUTS, ["event"])
    events = play(one, Op.MAC, {"mac": 1}, {EXPAND: {"row": {**row, "row": 0}}})
    for field in ("load", "takes"):
        assert when(events, field) == ({timing.PICKED: 1} if first else {})


@pytest.mark.parametrize("second", [0, 1])
def test_a_word_of_a_mean_reads_its_buffer(bench, second):
    word = {"valid": 1, "sum_ok": 1, "second": second, "row_addr": 0x1234}
    told = {"word": word, "address": word["row_addr"]}
    events = play(bench, Op.MEAN, {"mean": 1}, {0: told})
    assert when(events, "adds") == {timing.S_READY - 1: 1}
    assert events[timing.S_READY - 1]["source"] == (Source.B if second else Source.A)
    assert when(events, "read_b") == {timing.S_READY - 3: 0x1234}


@pytest.mark.parametrize("persist", [0, 1])
@pytest.mark.parametrize("asked", [0, 1])
def test_a_peek_reads_the_same_word_of_both_buffers(bench, asked, persist):
    """Where codes of membranes are in the one, as well; from a cycle after the peek on."""
    at = {n: {"peek": asked, "address": 0x1234} for n in range(CYCLES)}
    events = play(bench, Op.GEMM, {"gemm": 1}, at, persist=persist, leak=persist)[timing.S_READY :]
    assert [e["read_b"] == 0x1234 for e in events] == [asked] * len(events)
    assert [e["read_a"] == 0x1234 for e in events] == [asked] * len(events)


@pytest.mark.parametrize("res", Res)
def test_each_residual_has_its_source(bench, res):
    events = play(bench, Op.GEMM, {"gemm": 1}, {}, res=int(res))
    assert {e["source"] for e in events} == {SOURCES[res]}
    assert {e["adds"] for e in events} == {int(res in (Res.ADD, Res.AVERAGE))}


@pytest.mark.parametrize("shift", range(len(SHIFTS)))
def test_all_shifts_but_one_are_shut(bench, shift):
    events = play(bench, Op.MAC, {"mac": 1}, {}, shift=shift)
    assert {e["shut"] for e in events} == {shut(shift)}


def test_parameters_of_a_mean_go_to_unit_1(bench):
    """The bias by way of the register that all biases wait in."""
    for index, field, cycle in (
        (MEAN_BIAS, "bias_1", timing.ELEMENT_IN + 1),
        (MEAN_FACTOR, "factor_1", timing.ELEMENT_IN + 2),
    ):
        events = play(bench, Op.GEMM, {"gemm": 1}, {0: {"word": {"par": 1, "par_index": index}}})
        assert when(events, field) == {cycle: 1}
        waits = {timing.ELEMENT_IN: 1} if field == "bias_1" else {}
        assert when(events, "par_bias") == waits
        assert not when(events, "par_factor")


@pytest.mark.parametrize("op", [Op.GEMM, Op.MAC])
def test_parameters_come_with_their_columns_word(bench, op):
    word = {"par": 1, "half": 1}
    cycle = timing.ELEMENT_IN if op == Op.GEMM else timing.S_READY - 1
    for index in (0, 1, 9, 16):
        at = {0: {"word": {**word, "par_index": index}}}
        events = play(bench, op, {op.name.lower(): 1}, at)
        assert when(events, "par_bias") == ({} if index else {cycle: 1})
        assert when(events, "par_factor") == ({cycle: 1} if index else {})
        if index:
            assert events[cycle]["par_entry"] == index - 1 | 1 << 4


def test_a_core_without_codes_has_no_fields_of_them():
    without = lane_event(dataclasses.replace(CONFIG, state_bits=0))
    assert {n for n, _ in lane_event(CONFIG)} - {n for n, _ in without} >= {"read_a", "code_write"}


def test_a_core_without_means_has_no_fields_of_them():
    without = lane_event(dataclasses.replace(CONFIG, means=0))
    assert {n for n, _ in lane_event(CONFIG)} - {n for n, _ in without} == {
        *("bias_1", "factor_1", "first_1", "adds_1")
    }
