"""Instructions, labels and needs of a program under construction."""

import dataclasses

import pytest

from hw.arch import SpikeloomError, isa
from hw.arch.config import Config
from sw.compiler import compile_network
from sw.testing import random_network


def test_a_field_that_is_too_narrow_is_named(small, monkeypatch):
    net = random_network(1, **small | {"classes": 300})
    narrow = dataclasses.replace(isa.BY_NAME["n_j"], bits=4)
    monkeypatch.setitem(isa.BY_NAME, "n_j", narrow)
    with pytest.raises(
        SpikeloomError,
        match=r"column tiles j is 19, but instruction field n_j "
        "holds 0 to 15",
    ):
        compile_network(net, Config(col_depth=1 << 14))
