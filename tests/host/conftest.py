"""Shared by the tests of the host's side."""

import dataclasses

import numpy as np
import pytest

import sw
from sim.interpreter import Machine
from sw.host import Device
from sw.host import __main__ as cli
from tests.host.cores import REFUSALS, ROWS_8, flips, loaded
from tests.host.utterances import vowels  # noqa: F401


@pytest.fixture(scope="module")
def network():
    return sw.load("digits-qsnn").lower()


@pytest.fixture(scope="module")
def program(network):
    return network.compile(ROWS_8)


@pytest.fixture(scope="module")
def images():
    from sw.data import load

    return load("digits", 16).test_images[:3]


@pytest.fixture(scope="module")
def bit(program, images):
    """A word and bit of program memory whose flip changes the cycles of first and later runs."""
    known = program.first_cycles, program.cycles
    for word, bit in flips(program, 1000):
        words = program.words.copy()
        words[word] ^= np.uint32(1 << bit)
        try:
            machine = Machine(dataclasses.replace(program, words=words))
            first, later = (machine.run(images[0], events=False).cycles for _ in range(2))
        except REFUSALS:
            continue
        if first not in known and later not in known:
            return word, bit
    raise AssertionError("no flip changes the cycles")


@pytest.fixture
def flipped(program, bit):
    core, _ = loaded(program)
    core.flip(*bit)
    return core


@pytest.fixture
def host(monkeypatch, capsys):
    def call(core, *arguments):
        monkeypatch.setattr(cli, "open_port", lambda port, baud: Device(core))
        status = cli.main(["--port", "x", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return call
