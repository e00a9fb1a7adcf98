"""Faults come as often as they should, and of every kind."""

import pytest

from hw.arch import Config, link
from hw.arch.link import Command
from sim.endpoint import Endpoint
from sim.line import Faults, Line
from tests.soc.endpoint import Memories


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_faults_are_as_frequent_as_asked(size):
    faults = Faults(0.02, 3)
    for _ in range(200_000 // size):
        faults(bytes(size))
    assert faults.bytes == 200_000 // size * size
    assert 0.018 < faults.count / faults.bytes < 0.022


def test_every_kind_of_fault():
    faults, data = Faults(0.01, 0), bytes(range(256))
    changes = {"shorter": 0, "longer": 0, "other": 0}
    for _ in range(400):
        out = faults(data)
        changes["shorter"] += len(out) < len(data)
        changes["longer"] += len(out) > len(data)
        changes["other"] += len(out) == len(data) and out != data
    assert all(count > 30 for count in changes.values())


def test_no_faults():
    faults, data = Faults(0, 0), bytes(range(256))
    assert faults(data) == data
    assert faults.count == 0


def asked(line):
    line.write(link.frame(Command.STATUS, 0, 9))
    return line.read(0.1)


def test_bytes_at_another_rate_are_noise():
    line = Line(Endpoint(Config(), Memories(), clock=1))
    closed = link.frame(link.NAK, 0, 9, link.REFUSAL.pack(link.Reason.CLOSED, 0))
    assert asked(line) == closed
    line.set_baud(3_000_000)
    assert asked(line) != closed
    line.set_baud(link.BAUD)
    while line.read(0.1):
        pass
    line.write(bytes([link.END]))
    while line.read(0.1):
        pass
    assert asked(line) == closed


def test_time_passes_in_silences():
    endpoint = Endpoint(Config(), Memories(), clock=1)
    line = Line(endpoint)
    line.write(link.frame(Command.IDENTIFY, 0, 0, bytes(4)))
    line.write(link.frame(Command.RATE, 1, 0, bytes([2])))
    assert endpoint.baud == 3_000_000
    line.read(0)
    total = link.FALLBACK_TICKS * link.TICK_MS / 1e3
    line.read(total - 0.03)
    assert endpoint.baud == 3_000_000
    line.read(0.03)
    assert endpoint.baud == link.BAUD
