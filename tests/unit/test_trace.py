"""Trace: ports of every memory, as wide as all its banks together."""

import pytest

from hw.arch import Config
from hw.core.core import Core
from hw.core.trace import trace_members
from tests.unit.bench import unbuilt


@pytest.mark.parametrize("config", [Config(rows=4, cols=8), Config(rows=8, cols=16, width=64)])
def test_sizes(config):
    r, c, w = config.rows, config.cols, config.width
    width = {name: member.shape for name, member in trace_members(config).items()}
    assert width["t_row_en"] * 8 == width["t_row_data"] == r * w
    assert width["t_col_en"] * 8 == width["t_col_data"] == c * w
    assert (width["t_row_addr"], width["t_col_addr"], width["t_pix_addr"]) == (16 * r, 16 * c, 16)
    assert (width["t_res_en"], width["t_res_addr"], width["t_res_data"]) == (2 * c, 16 * c, 18 * c)
    assert (width["t_mem_en"], width["t_mem_data"]) == (2 * c, 16 * c)
    assert (width["t_pix_en"], width["t_pix_data"]) == (1, 18)


def test_only_a_traced_core_has_the_ports():
    config = Config(rows=4, cols=8)
    with unbuilt():
        plain, traced = (set(Core(config, trace=on).signature.members) for on in (False, True))
    assert traced - plain == set(trace_members(config))
