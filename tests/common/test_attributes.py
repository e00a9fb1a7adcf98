"""Attributes of the RTL: plain names that Yosys can select by."""

import re

from hw.common import attributes


def test_names_are_words_that_yosys_selects_by():
    names = {n: v for n, v in vars(attributes).items() if n.isupper()}
    assert "APART" in names
    assert all(re.fullmatch(r"[a-z_]+", value) for value in names.values())
