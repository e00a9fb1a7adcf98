"""Stored membranes: a new code, or one from memory, becomes the neuron's membrane in its cycle."""

import numpy as np
import pytest

from hw.arch import timing
from hw.arch.formats import STATE_BITS, STATE_SHIFTS
from hw.core.membranes import MembraneCodes, Remembering
from tests.unit.bench import Bench, timeline, unbuilt
from tests.unit.lanes import CONFIG, code_place, leak_mode
from tests.unit.states import code_of, entries, reader, thresholds_of

INPUTS = ["mode", "u", "fired", "res_a", "code_at", "forget"]
INPUTS += ["code_shut", "code_new", "code_below", "code_keep", "entry"]
OUTPUTS = ["cell", "code", "put_v"]
GAP = timing.STATE_WRITE - timing.PICKED  #: From the word that is read to the byte written.


@pytest.fixture(scope="module")
def bench():
    return Bench(MembraneCodes(CONFIG), INPUTS, OUTPUTS)


@pytest.mark.parametrize("shift", range(len(STATE_SHIFTS)))
def test_what_a_step_leaves_is_put_back(bench, shift):
    """Steps back to back: code << shift, ``latency`` after u."""
    rng = np.random.default_rng(shift)
    thresholds = thresholds_of(rng, 7, shift).tolist()
    table = entries(thresholds, 4 if shift == 0 else 32)
    mode = {"leak": 1, "state_bits": 1, **leak_mode(shift)}
    with unbuilt():
        latency = MembraneCodes(CONFIG).latency
    rows, want = [], {}
    for n in range(200):
        u, fired = int(rng.integers(-20000, 20000)), int(rng.random() < 0.2)
        rows.append({"mode": mode, "u": u, "fired": fired})
        code = 0 if fired else code_of(u, thresholds)
        want[n + latency] = code << STATE_SHIFTS[shift]
    rows += [{**r, "mode": mode} for r in timeline(latency)]
    seen = bench.play(rows, reader(table))
    assert {n: seen[n]["put_v"] for n in want} == want


@pytest.mark.parametrize("forget", [0, 1])
def test_a_code_from_memory_is_put_a_cycle_after_its_word(bench, forget):
    """Two bytes of four codes of two bits in a word of 18 bits: the place tells which."""
    mode = {"leak": 1, "persist": 1, "state_bits": 0, **leak_mode(1)}
    word = 0b01_11_00_01 | 0b11_01_11_00 << 9
    codes = [1, 0, -1, 1, 0, -1, 1, -1]
    rows = [{**r, "mode": mode, "forget": forget} for r in timeline(12)]
    for place in range(8):
        rows[place + 1] |= {"res_a": word, "code_at": place}
    seen = bench.play(rows)
    for place, code in enumerate(codes):
        assert seen[place + 2]["put_v"] == (0 if forget else code << STATE_SHIFTS[1])


def test_a_byte_is_written_with_the_codes_after_it_as_read(bench):
    mode = {"leak": 1, "persist": 1, "state_bits": 2, **leak_mode(1)}
    rows = [{**r, "mode": mode, "entry": 32 << 7} for r in timeline(GAP + 2)]
    rows[0] |= {"res_a": 0x5A, "code_at": 0}
    rows[GAP] |= {"code_keep": 1}
    for bits, byte in ((8, 0), (2, 0x58)):  # of u = 0: all of the byte, or its lowest two bits
        mode["state_bits"] = STATE_BITS.index(bits)
        told = [{**r, "mode": dict(mode)} for r in rows]
        for after, ports in code_place(0, bits).items():
            told[GAP + after] |= ports
        assert bench.play(told)[GAP]["code"] == byte


def test_codes_count_after_a_run_until_they_are_forgotten():
    bench = Bench(Remembering(), ["forget", "halt"], ["forgotten"])
    rows = [{}, {"halt": 1}, {}, {"forget": 1}, {}, {"halt": 1, "forget": 1}, {}, {"halt": 1}, {}]
    assert [s["forgotten"] for s in bench.play(rows)] == [1, 1, 0, 0, 1, 1, 1, 1, 0]
