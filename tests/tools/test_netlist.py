"""Netlists as Yosys writes them."""

import pytest

from hw.arch import SpikeloomError
from hw.tools.netlist import Netlist


def test_netlist_that_is_cut_short(tmp_path):
    path = tmp_path / "n.json"
    path.write_text('{"modules": {"top": {', encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"n.json is not a whole netlist .*is the disk full"):
        Netlist.load(path)
