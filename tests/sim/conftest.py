"""What tests of the simulator share."""

import pytest

import sw
from hw.arch import Config
from sim import verilator
from tests.host.utterances import vowels  # noqa: F401
from tests.sim.standin import SOURCE


@pytest.fixture(scope="session")
def program():
    """The stored digits network, compiled."""
    return sw.load("digits").lower().compile(Config())


@pytest.fixture(scope="session")
def simulator():
    """Return the compiled simulator of the core that stands in."""
    return verilator.compile_verilog(SOURCE, 4, 16, 32)
