"""Shared by the tests of builds."""

import shutil

import pytest

from sw.frontend.loader import SHIPPED


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of one's own, with its side file."""
    folder = tmp_path_factory.mktemp("model")
    for suffix in (".safetensors", ".json"):
        shutil.copy(SHIPPED / f"mnist-tiny{suffix}", folder / f"net{suffix}")
    return folder / "net.safetensors"
