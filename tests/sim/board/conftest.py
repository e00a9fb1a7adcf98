"""The board of these tests, in the one simulator that they compile."""

import pytest

import boards
import sw
from sim.board.running import RunningBoard
from tests.host.modelled import plugged


@pytest.fixture(scope="session")
def board():
    return boards.get("arty_a7")


@pytest.fixture(scope="session")
def network():
    return sw.load("digits").lower()


@pytest.fixture(scope="session")
def program(network, board):
    return network.compile(board.config)


@pytest.fixture(scope="session")
def images():
    from sw.data import load

    return load("digits", 16).test_images[:3]


@pytest.fixture
def running(board, program):
    with RunningBoard(board, program) as found:
        yield found


@pytest.fixture
def port(running):
    with plugged(running) as plug:
        yield plug.port
