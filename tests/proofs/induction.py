"""Proofs over all time: assertions of a component by k-induction, with the solver inside Yosys.

A property is a component around the one in question, with `always` and `given`. The base
case starts from the registers' initial values; the step from any state that held the assertions
for k cycles. So what is proved holds for ever, not for as many cycles as a simulation ran. What a
memory reads is taken as any word at all: less is assumed than is so.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amaranth.hdl import Assert, Assume, ClockDomain, Module, Signal, Value

from hw.tools.export import rtlil_text
from hw.tools.yosys import run_yosys


def always(condition: Any) -> Any:
    """Return the statement that a condition holds: what is to be proved."""
    return Assert(condition, "")


def given(condition: Any) -> Any:
    """Return the statement that a condition holds in all that is looked at."""
    return Assume(condition, "")


def any_one(m: Module, value: Signal) -> Signal:
    """Return a free input that keeps whatever it is from the first cycle on: any one of all.

    What is proved of one place or word that nobody knows is proved of each.
    """
    known, before = Signal(name=f"{value.name}_known"), Signal.like(value, name_suffix="_before")
    m.d.sync += [known.eq(1), before.eq(value)]
    with m.If(known):
        m.d.comb += given(value == before)
    return value


def proved(
    design: Any,
    ports: list[Value],
    folder: Path,
    *,
    inside: Mapping[str, str] | None = None,
    most: int = 12,
    limit: int = 60,
) -> bool:
    """Return whether every `always` of a design holds in every cycle.

    Parameters
    ----------
    design : an elaboratable; its registers start at their initial values and are not reset.
    ports : its free inputs.
    inside : by the name of a port that is no input but a look inside: the flattened name, below
        the design, of the signal that it shows. An induction may need to speak of those.
    most : cycles of the longest induction that is tried.
    limit : seconds of the solver.
    """
    m, looks = Module(), dict(inside or {})
    clock: Any = ClockDomain("sync", reset_less=True)
    m.domains.sync = clock
    m.submodules.design = design
    (folder / "proof.il").write_text(
        rtlil_text(m, ports=[clock.clk, *ports], name="proof"), encoding="utf-8"
    )
    log = run_yosys(
        [
            "read_rtlil proof.il",
            "hierarchy -top proof -check",
            "proc -norom",
            "flatten",
            *(f"delete -input w:{port}" for port in looks),
            *(f"connect -nounset -set {port} \\design.{signal}" for port, signal in looks.items()),
            "chformal -lower",
            "delete t:$scopeinfo t:$mem_v2 t:$mem*",  # what a memory reads is any word
            "setundef -undriven -anyseq",
            "opt -full",
            "select -assert-min 1 t:$assert",
            "stat",
            f"sat -tempinduct -set-assumes -prove-asserts -seq 1 -maxsteps {most} -timeout {limit}",
        ],
        cwd=folder,
        name="proof",
    )
    text = log.read_text(encoding="utf-8")
    assert re.search(r"\$assert +\d+|\d+ +\$assert", text), "nothing is asserted"
    assert "interrupted by TIMEOUT" not in text, "the solver ran out of time"
    return "Induction step proven: SUCCESS!" in text
