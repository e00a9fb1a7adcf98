"""Every distance of ``hw.arch.timing`` is checked where the hardware that makes it is built."""

import ast
import inspect
import re

import pytest
from amaranth.hdl import Fragment

from hw.arch import Config, timing
from hw.core.core import Core
from hw.core.popcount import MaskedPopcount
from hw.core.rowread import RowRead
from tests.unit.bench import unbuilt

CONFIG = Config(rows=4, cols=8, width=32)
LOWER_BOUNDS = {"SWAP"}  #: More than needed only costs cycles.


@pytest.fixture(autouse=True, scope="module")
def quiet():
    """Parts of a core whose building was refused are not reported as forgotten."""
    with unbuilt():
        yield


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
        value = timing.S_READY - timing.ELEMENT_IN  # the least: the next one down is refused
        monkeypatch.setattr(timing, name, value)
        build()
    monkeypatch.setattr(timing, name, value + by)
    with pytest.raises(AssertionError):
        build()


@pytest.mark.parametrize(
    ("name", "part"), [("POP_STAGES", MaskedPopcount), ("ROW_READ", RowRead)], ids=lambda v: str(v)
)
def test_a_register_more_is_one_number(monkeypatch, name, part):
    """With one more in a part and in its constant, all that follows from it fits again."""
    monkeypatch.setattr(part, "latency", part.latency + 1)
    with pytest.raises(AssertionError):
        build()
    source = inspect.getsource(timing)
    more = f"\n{name} = {getattr(timing, name) + 1}  #"
    changed = re.sub(rf"\n{name} = [^#]*#", more, source, count=1)
    assert changed != source
    module: dict = {}
    exec(changed, module)  # the module as it would read, its constants one after the other
    assert module["S_READY"] == timing.S_READY + 1
    for constant in constants():
        monkeypatch.setattr(timing, constant, module[constant])
    build()
