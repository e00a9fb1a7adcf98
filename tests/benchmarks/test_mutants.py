"""Faults in the RTL: what is shown to change nothing changes nothing; the page tells the rest."""

import random
import re
from pathlib import Path

import pytest

from benchmarks import mutants
from benchmarks.mutation import circuit, core, link, proofs, reasons, recording
from benchmarks.mutation.faults import Fault, faults, faulty_verilog, flat
from benchmarks.mutation.page import WANTED
from hw.arch.isa import Instruction, Op
from hw.arch.link import END, Command, unframe
from hw.common.files import digest
from hw.soc.uart import UARTTransmitter
from hw.tools.export import export_rtlil

CYCLES, SIDE = 160, 256
PAGE = Path(__file__).parents[2] / "docs" / "develop" / "mutants.md"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Faults of a transmitter, and its gates with all of them."""
    folder = tmp_path_factory.mktemp("faults")
    export_rtlil(UARTTransmitter(5), folder / "tx.il", name="tx")
    flat(folder, "tx")
    chosen = faults(folder, "tx", 90)
    faulty_verilog(folder, "tx", chosen)
    return folder, chosen, circuit.gates(folder, "tx")


def outputs(gates: circuit.Gates, fault: int):
    """What a circuit with a fault gives in each cycle, SIDE runs side by side, from registers of 0.

    Each input is for 20 cycles 0, 1 or random in each run: a reset is not always there, nor never.
    """
    rng, full = random.Random(0), (1 << SIDE) - 1
    state, drawn = {v: 0 for v, _ in gates.latches}, {}
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
    assert any("shift" in fault.key for fault in chosen)
    numbers = [fault.number for fault in chosen]  # of the select port: a clock's are left out
    assert numbers == sorted(set(numbers))
    assert numbers[0] >= 1


def test_no_fault_of_a_clock(small):
    assert not any(re.search(r"-port \\?\w*CLK", fault.command) for fault in small[1])


def test_the_recording_speaks_of_every_command():
    """What is played to the link, to the endpoint's model: each command, and each refusal."""
    play = recording.Player(0)
    said = []
    play.send = lambda data, ticks=(), stop=1: said.append((data, dict(play.state)))
    play.rest = lambda cycles, ticks=(): None
    recording.everything(play)
    codes = {frame[0] for data, _ in said for frame in _frames(data)}
    assert set(Command) <= codes
    assert len(said) > 300


def _frames(data):
    return [found for part in data.split(bytes([END])) if (found := unframe(part))]


def test_reasons_hold():
    assert all(reason.holds() for reason in reasons.REASONS.values())
    premise = reasons.PREMISES[0]
    assert premise.holds([Instruction(op=Op.GEMM, slot_bytes_log2=1)])
    assert not premise.holds([Instruction(op=Op.GEMM, slot_bytes_log2=2)])


def rows(title: str) -> list[list[str]]:
    """Cells of the table under a title of the page; "" is what comes before the first."""
    parts = re.split(r"^## (.*)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = dict(zip(["", *parts[1::2]], parts[::2], strict=True)).get(title, "")
    lines = [line for line in found.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_the_page_tells_every_survivor():
    """Counts of its table are those of its lists; reasons are those of the record."""
    *each, (_, faults_, killed, shown, given, reason, left, share, _) = rows("")
    assert [row[0] for row in each] == ["core", "link"]
    assert int(faults_) >= 250
    assert int(faults_) == sum(map(int, (killed, shown, given, reason, left)))
    assert int(killed) == sum(int(row[2]) for row in rows("What notices them"))
    lists = ("Shown equivalent", "Equivalent in every program", "Equivalent by a reason", "Open")
    assert [len(rows(title)) for title in lists] == [int(n) for n in (shown, given, reason, left)]
    settled = 1 - int(left) / int(faults_)
    assert settled >= WANTED
    assert share == f"{100 * settled:.1f} %"
    told = {row[1].strip("`"): row[2] for row in rows("Equivalent by a reason")}
    assert told == {key: r.text for key, r in reasons.REASONS.items()}


@pytest.mark.slow  # netlists of core and link, a minute
def test_the_page_is_of_the_rtl_as_it_is(tmp_path):
    """Fails after a change of the RTL, until the command has been run again."""
    tops = (("core", core.Traced(core.CONFIG), core.design), ("link", link.Wired(), faulty_verilog))
    for name, top, design in tops:
        export_rtlil(top, tmp_path / f"{name}.il", name=name)
        flat(tmp_path, name)
        chosen: list[Fault] = faults(tmp_path, name, mutants.FAULTS[name])
        mark = digest(design(tmp_path, name, chosen))[:12]
        assert [row[-1] for row in rows("") if row[0] == name] == [f"`{mark}`"]
