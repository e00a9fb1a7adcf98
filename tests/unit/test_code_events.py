"""Lane events of stored membranes, of row events: each field in its cycle."""

import pytest

from hw.arch import timing
from hw.arch.isa import Op
from hw.core.code_events import CODE_FIELDS
from hw.core.events import EXPAND
from hw.core.lane_events import LaneEvents, lane_event
from tests.unit.bench import Bench
from tests.unit.lanes import code_place
from tests.unit.test_lane_events import CONFIG, INPUTS, TAG, play, when


@pytest.fixture(scope="module")
def bench():
    assert {*CODE_FIELDS} <= {name for name, _ in lane_event(CONFIG)}
    return Bench(LaneEvents(CONFIG), INPUTS, ["event"])


@pytest.mark.parametrize(("state_bits", "codes"), [(0, 8), (1, 4), (2, 2)])
def test_codes_in_memory(bench, state_bits, codes):
    """A code's number (of 2, 4, 8 bits) tells word, byte and place in it."""
    row = {"due": 1, "first": 1, "row": 1, "tag": {**TAG, "res": 5}}
    early = {"gemm": 1, "st_base": 100, "res_gs": 3}
    fields = {"leak": 1, "persist": 1, "state_bits": state_bits}
    events = play(bench, Op.GEMM, early, {EXPAND: {"row": row}}, **fields)
    number = (100 + 5) << 2 | (6 + 1) % 4
    each = codes // 2
    assert events[timing.PICKED - 2]["read_a"] == number // codes
    pairs = 4 // each  # of bits, of a code
    assert events[timing.PICKED]["code_at"] == number % codes * pairs
    assert when(events, "put") == {timing.X: 1}
    assert events[timing.X]["put_row"] == 1
    assert when(events, "code_keep") == {timing.STATE_WRITE: 1}
    written = events[timing.STATE_WRITE]
    assert written["code_write"] == number // codes
    assert written["code_half"] == number % codes // each
    for after, told in code_place(number, 8 // each).items():
        for name, value in told.items():
            assert events[timing.STATE_WRITE + after][name] == value, name
    assert not events[timing.Y]["start"]  # the membrane is the code's


def test_a_new_code_is_put_when_it_is_there(bench):
    """Without memory: at STATE_WRITE, of a row that steps; where none is made, with the step."""
    row = {"due": 1, "first": 1, "row": 1, "tag": TAG}
    for leak, cycle in ((1, timing.STATE_WRITE), (0, timing.Y)):
        events = play(bench, Op.GEMM, {"gemm": 1}, {EXPAND: {"row": row}}, leak=leak)
        assert when(events, "put") == {cycle: 1}
        assert events[cycle]["put_row"] == 1
