"""What tests of units share."""

import pytest

from tests.unit.cores import Machine


@pytest.fixture(scope="session")
def machine():
    """A small core with its trace; each ``play`` begins after a reset."""
    return Machine()
