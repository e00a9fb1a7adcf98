"""Faults in the RTL: what is shown to change nothing changes nothing."""

import random
import re

import pytest

from benchmarks.mutation import circuit, proofs, reasons, recording
from benchmarks.mutation.faults import faults, faulty_verilog, flat
from hw.arch.isa import Instruction, Op
from hw.arch.link import crc16
from hw.soc.uart import UARTTransmitter
from hw.tools.export import export_rtlil

CYCLES, SIDE = 160, 256


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Faults of a transmitter, and its gates with all of them."""
    folder = tmp_path_factory.mktemp("faults")
    export_rtlil(UARTTransmitter(5), folder / "tx.il", name="tx")
    flat(folder, "tx")
    chosen = faults(folder, "tx", 40)
    faulty_verilog(folder, "tx", chosen)
    return folder, chosen, circuit.gates(folder, "tx")


def outputs(gates: circuit.Gates, fault: int):
    """What a circuit with a fault gives in each cycle, SIDE runs side by side, from registers of 0.

    Each input is for 20 cycles 0, 1 or random in each run: a reset is not always there, nor never.
    """
    rng, full = random.Random(0), (1 << SIDE) - 1
    state = {v: 0 for v, _ in gates.latches}
    for cycle in range(CYCLES):
        if cycle % 20 == 0:
            drawn = {v: (rng.getrandbits(SIDE), rng.getrandbits(SIDE)) for v in gates.inputs}
        at = {0: 0} | state
        at |= {v: still & (rng.getrandbits(SIDE) | some) for v, (still, some) in drawn.items()}
        at |= {v: full * (fault >> bit & 1) for bit, v in enumerate(gates.select)}
        for out, a, b in gates.ands:
            at[out] = (at[a & ~1] ^ full * (a & 1)) & (at[b & ~1] ^ full * (b & 1))
        yield [at[v & ~1] ^ full * (v & 1) for v in gates.outputs]
        state = {v: at[after & ~1] ^ full * (after & 1) for v, after in gates.latches}


def test_what_is_shown_never_differs_and_the_rest_does(small):
    """Each fault of a small circuit, shown or not, is played on its gates with random inputs."""
    folder, chosen, gates = small
    prover = proofs.Prover(gates, folder / "proofs", seconds=5)
    sound = list(outputs(gates, 0))
    how = {fault.number: prover.shown(fault.number) for fault in chosen}
    for fault in chosen:
        same = list(outputs(gates, fault.number)) == sound
        assert same == bool(how[fault.number]), fault
    if prover.solver is not None:
        assert {"", proofs.STRUCTURE} <= set(how.values())


def test_a_register_bit_may_be_given(small):
    """Where nothing is ever shifted out, faults of what would be do not matter."""
    folder, chosen, gates = small
    given = {name: 0 for name in gates.names if re.match(r"shift\b", name)}
    assert given
    few = proofs.Prover(gates, folder / "few", seconds=0)
    more = proofs.Prover(gates, folder / "more", given, seconds=0)
    before = {f.number for f in chosen if few.shown(f.number)}
    after = {f.number for f in chosen if more.shown(f.number)}
    assert before < after


def test_keys_do_not_count(small):
    """The same circuit under other numbers has the same keys; each names its signals."""
    _, chosen, _ = small
    assert all("$" not in fault.key.replace("$signal", "") for fault in chosen)
    assert len({fault.key for fault in chosen}) > 0.8 * len(chosen)
    assert any("timer" in fault.key for fault in chosen)
    assert [fault.number for fault in chosen] == list(range(1, len(chosen) + 1))


def test_no_fault_of_a_clock(small):
    assert not any(re.search(r"-port \\?\w*CLK", fault.command) for fault in small[1])


def test_damage_that_one_bit_of_the_register_shows():
    damage = recording.single_bits()
    assert [crc16(error.to_bytes(2, "big")) for error in damage] == [1 << b for b in range(16)]


def test_reasons_hold():
    assert all(reason.holds() for reason in reasons.REASONS.values())
    premise = reasons.PREMISES[0]
    assert premise.holds([Instruction(op=Op.GEMM, slot_bytes_log2=1)])
    assert not premise.holds([Instruction(op=Op.GEMM, slot_bytes_log2=2)])
