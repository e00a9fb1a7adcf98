"""The board in a simulator, by the driver as it is."""

import os
import time

import pytest

import sw
from hw.arch import link
from hw.arch.memmap import Mem, Stopped, load_addr
from sim.board.running import RunningBoard
from sw.host import __main__ as cli
from sw.host import open_port, self_test
from tests.host.modelled import plugged


def cpu_seconds(process):
    fields = open(f"/proc/{process.pid}/stat", encoding="utf-8").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_all(running):
    while True:
        running.read()


def test_the_network_is_in_memory_from_the_start(port, running, program, network, images):
    with open_port(port) as device:
        assert device.identity.config == program.config
        assert device.identity.clock == 80_000_000
        assert device.link.baud == 3_000_000
        assert device.holds(program)
        assert device.read(program.logits_base, 1).tolist() == [0]
        before = cpu_seconds(running._process)
        found = self_test(device, program, images, network)
        assert found.faults == ()
        assert found.predictions == [7, 9, 4]
        assert cpu_seconds(running._process) - before < 5 * len(images)
        layers = device.layers(program)
        assert sum(layer.cycles for layer in layers) == program.cycles
        assert all(layer.cycles == layer.forecast for layer in layers)


def test_a_sequence_is_streamed(board, vowels, capsys):
    """Each frame in a call of its own, the membranes in the board's memory between them."""
    network = sw.load("vowels-qsnn").lower()
    program = network.compile(board.config)
    with RunningBoard(board, program) as running, plugged(running) as plug:
        for n in (2, 0):  # the second begins anew
            words = ["stream", f"vowels:{n}", "--model", "vowels-qsnn"]
            assert cli.main(["--port", plug.port, *words]) == 0
    sums = network.run_sequences(vowels.test_images, vowels.test_lengths).predictions
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line.startswith("vowels")] == [
        f"vowels:{n}: class {sums[n]} after {vowels.test_lengths[n]} frames, label {n}: "
        + ("right" if sums[n] == n else "WRONG")
        for n in (2, 0)
    ]
    cycles = [int(line.split()[-2]) for line in out if line.startswith("step")]
    first, later = program.first_cycles, program.cycles
    assert cycles == [first, later, later, first, later, later, later]


def test_a_run_is_stopped(port):
    with open_port(port) as device:
        device.link.start()
        state = device.abort()
        assert (state.busy, state.done, state.stopped) == (False, False, Stopped.ABORTED)
        device.link.start(1000)
        state, words = device.link.result(load_addr(Mem.PIX, 0), 0, 1.0)
        assert (state.busy, state.stopped, len(words)) == (False, Stopped.WATCHDOG, 0)


def test_at_rest_nothing_is_simulated(port, running):
    with open_port(port) as device:
        device.status()
        while not running.rests:
            time.sleep(0.05)
        before = cpu_seconds(running._process)
        time.sleep(1)
        assert cpu_seconds(running._process) - before < 0.1


def test_time_passes_at_rest(port):
    """A host that went away at a high rate finds the board at the first one again."""
    for _ in range(2):
        with open_port(port) as device:
            assert device.link.baud == 3_000_000
        time.sleep(link.TICK_MS * (link.FALLBACK_TICKS + 1) / 1e3)


def test_it_ends(board, program):
    with RunningBoard(board, program) as running:
        process = running._process
        assert process.poll() is None
    assert process.poll() is not None
    running = RunningBoard(board, program)
    running._process.kill()
    running._process.wait()
    with pytest.raises(EOFError):
        read_all(running)
    running.close()
