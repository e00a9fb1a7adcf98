"""What all tests of the compiler share."""

import pytest

from tests.interpreted import compare, load_fixture
from tests.networks import SMALL


@pytest.fixture(scope="session")
def small():
    """Arguments of a small random network."""
    return dict(SMALL)


@pytest.fixture(scope="session")
def fixture_network():
    """Return (integer network, images) of a stored network by name."""
    return load_fixture


@pytest.fixture(scope="session")
def check():
    """Compile, interpret and compare every tensor and the logits with the golden model."""
    return compare
