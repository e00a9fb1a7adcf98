"""Shared by all tests: how many processes run them, what to do where a tool is missing."""

import os

import pytest

MOST_WORKERS = 4  #: Each may take a GiB, and compiles simulators with all cores.


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Return how many processes ``-n auto`` means: none where single files or tests are named.

    Those start at once in the process that was called; whole folders are shared between processes.
    """
    named = [argument.partition("::")[0] for argument in config.args]
    if named and all(name.endswith(".py") for name in named):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, MOST_WORKERS)


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
