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
