"""The ports of a core: every one is documented, and other boxes have them too."""

import inspect

from hw.arch import Config
from hw.core.core import Core
from hw.core.ports import core_members
from tests.unit.bench import unbuilt


def test_every_port_is_told_of_and_nothing_else():
    said = inspect.getdoc(core_members) or ""
    for name in core_members():
        assert f"{name} :" in said or f"{name}," in said or f"{name} (" in said, name


def test_a_core_has_them():
    with unbuilt():
        core = Core(Config())
    assert dict(core.signature.members) == core_members()
