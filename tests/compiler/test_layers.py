"""Cycles by layer: the forecast's, and those that a log of a run comes to."""

from itertools import accumulate

import pytest

from hw.arch import SpikeloomError, isa, schedule, timing
from hw.arch.config import Config
from hw.arch.isa import Op
from hw.arch.memmap import LOG_DEPTH
from sw.compiler import compile_network, forecast_layers, logged_layers
from tests.compiler.nets import STATE, conv, mean, network, pixel


def program_of(layers, state=None):
    """A chain of layers, a mean over the last one's spikes, and the logits."""
    names = [f"c{n}" for n in range(layers)]
    sources = ["p", *(f"{name}.s" for name in names)]
    chain = [
        conv(name, source, size=1, state=state)
        for name, source in zip(names, sources, strict=False)
    ]
    net = network(pixel(state=state), *chain, mean(sources[-1]))
    return compile_network(net, Config(prog_depth=4096))


def log_of(cycles):
    """The log of a run whose instructions take these cycles, and the cycles of all."""
    ends = list(accumulate(cycles))
    return [timing.START - 1, *(end - 1 for end in ends[:-1])], ends[-1]


def test_a_log_is_told_by_layer():
    program = program_of(3)
    spent = [100 + n for n in range(len(program.labels))]
    layers = logged_layers(program, *log_of(spent))
    assert sum(layers.values()) == sum(spent)
    assert list(layers) == list(dict.fromkeys(label.layer for label in program.labels))
    for layer, cycles in layers.items():
        mine = [n for n, label in enumerate(program.labels) if label.layer == layer]
        assert cycles == sum(spent[n] for n in mine)


def test_the_forecast_is_the_log_of_a_run_that_goes_as_forecast():
    program = program_of(2)
    log = log_of([f.cycles for f in program.forecast])
    assert logged_layers(program, *log) == forecast_layers(program)
    assert sum(forecast_layers(program).values()) == program.cycles


def test_a_table_that_is_kept_has_no_entry():
    """Its layer then has the cycles of what follows it alone."""
    program = program_of(2, STATE)
    code = program.instructions()
    begin = timing.run_start(code)
    assert begin
    assert code[begin - 1].op == Op.TABLE
    for first in (True, False):
        cycles = schedule.program_cycles(program.config, code, first)
        log = log_of(cycles if first else cycles[begin:])
        assert logged_layers(program, *log) == forecast_layers(program, first)
    table = sum(forecast_layers(program, True).values()) - program.cycles
    assert table == program.first_cycles - program.cycles > 0


def test_logs_of_other_runs_are_refused():
    program = program_of(2)
    log, total = log_of([f.cycles for f in program.forecast])
    message = r"a log of \d+ instructions in \d+ cycles is none of a run of program 'hand'"
    for wrong, cycles in (
        (log[1:], total),
        ([*log, total], total + 9),
        ([], total),
        ([log[0], log[2], log[1], *log[3:]], total),
        (log, log[-1]),
    ):
        with pytest.raises(SpikeloomError, match=message):
            logged_layers(program, wrong, cycles)


def test_more_instructions_than_a_log_has():
    most = LOG_DEPTH - 3  # and the pixels', the logits', HALT
    program = program_of(most)
    assert len(program.instructions()) == LOG_DEPTH
    log = log_of([f.cycles for f in program.forecast])
    assert logged_layers(program, *log) == forecast_layers(program)
    program = program_of(most + 1)
    log = log_of([f.cycles for f in program.forecast])
    with pytest.raises(SpikeloomError, match="has 65 instructions, but a core logs 64 of a run"):
        logged_layers(program, *log)
    assert isa.NI * (LOG_DEPTH + 1) == len(program.words)
