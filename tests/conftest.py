"""Shared by all tests: what to do where a tool is missing."""

import os

import pytest


@pytest.fixture(scope="session")
def need():
    """Return a function that skips a test without the reason given; under CI it fails instead."""

    def check(found: object, what: str) -> None:
        if found:
            return
        if os.environ.get("CI"):
            pytest.fail(f"{what} is missing, and CI must have it")
        pytest.skip(f"{what} is missing")

    return check


@pytest.fixture(scope="session")
def fetched():
    """Return a function that skips a test where a data set is not in the cache.

    Under CI too: tests fetch nothing, and a data set is no tool.
    """
    from sw.data.fetch import is_present, source_of

    def check(name: str) -> None:
        if not is_present(source_of(name)):
            pytest.skip(f"{name} is not here; python -m sw.data fetch {name} fetches it")

    return check
