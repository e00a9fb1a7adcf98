"""Fixtures of NIR graphs."""

import pytest


@pytest.fixture
def path(tmp_path):
    """Where a test writes its graph."""
    return tmp_path / "net.nir"
