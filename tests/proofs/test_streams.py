# amaranth: UnusedElaboratable=no
"""Rules of the streams between pins and core, proved for all time.

What a producer shows stays as it is until it is taken.
"""

from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Module, Signal, Value

from hw.arch import Config
from hw.soc import answer, framing
from tests.proofs.induction import always, given, proved
from tests.proofs.sources import faulty


def stays(m, stream, rule):
    """What ``stream`` shows stays until it is taken: ``rule`` is `always` or `given`."""
    shown = Value.cast(stream.payload)
    waits, before = Signal(), Signal(len(shown))
    m.d.sync += [waits.eq(stream.valid & ~stream.ready), before.eq(shown)]
    with m.If(waits):
        m.d.comb += [rule(stream.valid), rule(shown == before)]


class FramerRules(Elaboratable):
    """A frame's byte stays until it is taken, if what is framed does."""

    def __init__(self, module):
        self.dut = d = module.Framer()
        self.ports, self.inside = [d.i.payload.as_value(), d.i.valid, d.o.ready], {}

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = d = self.dut
        stays(m, d.i, given)
        stays(m, d.o, always)
        return m


class AnswerRules(Elaboratable):
    """An answer's byte stays until it is taken; nothing is peeked at while one waits."""

    def __init__(self, module):
        self.dut = d = module.Answer(Config(), bytes(80))
        self.part: Any = d.elaborate(None)
        (fsm,) = self.part._generated.values()
        self.rest = fsm.encoding["REST"]
        self.state = Signal(range(len(fsm.encoding)), name="seen_state")
        self.inside = {"seen_state": "dut.fsm_state"}
        self.ports = [d.begin, d.asked.as_value(), d.o.ready, d.pc, d.cycles]
        self.ports += [d.log_count, d.log_data, d.peek_data, self.state]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut, d = self.part, self.dut
        asked, answers = Signal.like(d.asked.as_value()), Signal()
        m.d.sync += asked.eq(d.asked)
        with m.If(d.begin):
            m.d.sync += answers.eq(1)
        with m.Elif(d.over):
            m.d.sync += answers.eq(0)
        with m.If(answers):  # what is answered stays, and nothing else is asked
            m.d.comb += [given(d.asked.as_value() == asked), given(~d.begin)]
        stays(m, d.o, always)
        m.d.comb += [
            always((self.state != self.rest) == answers),
            always(~(d.peek & d.o.valid)),
            always(~d.over | d.o.valid),
        ]
        return m


RULES = {"framer": (FramerRules, framing), "answer": (AnswerRules, answer)}
FAULTS = [
    ("framer", "self.o.valid.eq(crc.i.ready),", "self.o.valid.eq(~self.o.ready),"),
    ("framer", "i.byte), self.o.valid.eq(self.i.valid", "i.byte), self.o.valid.eq(~self.o.ready"),
    ("framer", "byte.eq(crc.crc.word_select(number, 8))", "byte.eq(self.o.ready)"),
    ("answer", "o.last.eq(left == 1)", "o.last.eq(self.pc[0])"),
    ("answer", "o.byte.eq(word[:8])", "o.byte.eq(self.cycles[:8])"),
]  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_the_rules_are_kept(tmp_path, name):
    rules, module = RULES[name]
    design = rules(module)
    assert proved(design, design.ports, tmp_path, inside=design.inside)


@pytest.mark.parametrize(("name", "old", "new"), FAULTS)
def test_a_fault_is_seen(tmp_path, name, old, new):
    rules, module = RULES[name]
    design = rules(faulty(module, old, new))
    assert not proved(design, design.ports, tmp_path, inside=design.inside, most=3)
