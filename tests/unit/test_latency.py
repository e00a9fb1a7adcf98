"""Every distance of ``hw.arch.timing`` is checked where the hardware that makes it is built."""

import ast
import gc
import inspect

import pytest
from amaranth.hdl import Elaboratable, Fragment

from hw.arch import Config, timing
from hw.core.core import Core

CONFIG = Config(rows=4, cols=8, width=32)
LOWER_BOUNDS = {"SWAP"}  #: More than needed only costs cycles.


@pytest.fixture(autouse=True, scope="module")
def quiet():
    """Parts of a core whose building was refused are not reported as forgotten."""
    Elaboratable._MustUse__silence = True
    yield
    gc.collect()
    Elaboratable._MustUse__silence = False


def constants():
    """Names that the module assigns: not what it imports, and no function."""
    tree = ast.parse(inspect.getsource(timing))
    return [
        target.id
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    ]


def build():
    Fragment.get(Core(CONFIG), None)


def test_constants_are_found():
    assert {"POP_STAGES", "S_READY", "STATE_GAP", "SWAP", "START"} <= set(constants())
    assert LOWER_BOUNDS <= set(constants())


def test_hardware_and_timing_agree():
    build()


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("name", constants())
def test_a_distance_that_is_not_the_hardwares_is_refused(monkeypatch, name, by):
    value = getattr(timing, name)
    if name in LOWER_BOUNDS:
        if by > 0:
            return
        value = timing.S_READY - timing.ELEMENT_IN + 1  # the least: the next one down is refused
        monkeypatch.setattr(timing, name, value)
        build()
    monkeypatch.setattr(timing, name, value + by)
    with pytest.raises(AssertionError):
        build()
