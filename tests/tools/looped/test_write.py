"""Statements of one function: what is asked for and what it needs, each before it is read."""

import re

from hw.tools.looped.alike import Alike
from hw.tools.looped.layout import full
from hw.tools.looped.names import Names
from hw.tools.looped.narrow import narrow
from hw.tools.looped.order import ordered
from hw.tools.looped.write import Function
from tests.tools.looped.design import COPIES, netlist


def function(folder, new=""):
    found = netlist(folder)
    narrow(found)
    alike = Alike(found)
    return found, Function(Names(found, alike), ordered(found, alike), new)


def test_nothing_is_computed_that_nobody_asks_for(tmp_path):
    _, body = function(tmp_path)
    assert body.text(["end"]) == ["end"]


def test_what_is_read_is_there(tmp_path):
    found, body = function(tmp_path)
    words = body.words(found.outputs["o"])
    assert len(words) == 2
    text = "\n".join(body.text([f"o[{n}] = {word};" for n, word in enumerate(words)]))
    assert f"for (u32 i = 0; i < {full(COPIES)}; i++)" in text
    known = set()
    for line in text.splitlines():
        made = re.match(r"\s*(?:const u\d+ (\w+) =|alignas\(64\) u\d+ (\w+)\[)(.*)", line)
        for name in re.findall(r"(?<![\w.])[ntv]\d+\b", made[3] if made else line):
            assert name in known, line
        if made:
            known.add(made[1] or made[2])


def test_every_register_of_copies_gets_its_next_value(tmp_path):
    _, body = function(tmp_path, "s")
    text = "\n".join(body.text(body.registers()))
    for reg in body.alike.regs:
        assert f"{body.names.register('s', reg)}[" in text, reg.nodes[0].name
