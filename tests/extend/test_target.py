"""A target family is added by a class and a line, as docs/develop/target.md tells."""

import pytest

from boards.dies import DIES
from hw import targets
from hw.arch import SpikeloomError
from hw.build import build
from hw.targets import TARGETS
from tests.extend.target import DIE, Toy, board
from tests.synth.designs import echo


@pytest.fixture
def die(monkeypatch):
    monkeypatch.setitem(DIES, "toy1", DIE)


@pytest.fixture
def toy(die, monkeypatch):
    monkeypatch.setitem(TARGETS, "toy", Toy)
    return board()


def test_from_model_to_report(toy, tmp_path):
    value = build(toy, "mnist-tiny", tmp_path, design=echo)
    assert value["board"]["family"] == "toy"
    assert value["resources"]["kind"] == "estimated"
    assert value["resources"]["items"]["cell"]["used"] > 100
    assert value["timing"]["met"]
    assert value["timing"]["note"] == "by decree"
    assert value["bitstream"]["file"] == "top.bit"
    pins = (tmp_path / "top.bit").read_text(encoding="utf-8").splitlines()
    assert pins == ["clk_0__io 1", "uart_0__rx__io 2", "uart_0__tx__io 3", "led_0__io 4"]
    text = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "mnist-tiny on Toy (toy1dip40-1)" in text


def test_budget_of_the_die_is_held(toy, tmp_path, monkeypatch):
    monkeypatch.setitem(DIE.resources, "cell", 7)
    with pytest.raises(SpikeloomError, match=r"Toy has 7 cell, but this design needs \d+"):
        build(toy, "mnist-tiny", tmp_path, design=echo)


def test_without_any_figure_the_report_says_so(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(Toy, "timing", lambda self, netlist: None)
    monkeypatch.setattr(Toy, "route", lambda self, folder: "it is a toy")
    monkeypatch.setattr(Toy, "elsewhere", "a child makes it")
    said = []
    tell = lambda e: said.append((e.step, e.text)) if e.state == "skipped" else None  # noqa: E731
    value = build(toy, "mnist-tiny", tmp_path, design=echo, tell=tell)
    assert said == [
        ("route", "no bitstream: it is a toy; a child makes it"),
        ("pack", "nothing was routed"),
    ]
    assert (value["timing"]["fmax_mhz"], value["timing"]["met"]) == (None, None)
    text = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert "clock: 50 MHz, whether it is met is not known\n  nothing is known of it\n" in text
    assert "bitstream: none; it is a toy" in text


def test_unknown_family_is_refused_by_name(die, tmp_path):
    with pytest.raises(SpikeloomError) as e:
        build(board(), "mnist-tiny", tmp_path / "o", design=echo)
    assert str(e.value) == (
        "board toy: its part toy1dip40-1 is of the unknown target family 'toy'; known families: "
        "ecp5, xc7"
    )
    assert not (tmp_path / "o").exists()


class Half(targets.Target):
    """Has a PLL and synthesis, and that is all."""

    clock, synthesis = Toy.clock, Toy.synthesis


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            Half,
            "target 'half': Half lacks resources, check, timing, constrain, route, pack, titles",
        ),
        (
            type("NoPack", (Toy,), {"pack": targets.Target.pack}),
            "target 'half': NoPack lacks pack;",
        ),
        (Toy(None), "target 'half': .* is no class of hw.targets.target.Target"),
        ("toy", "target 'half': 'toy' is no class of"),
    ],
    ids=["half", "one step", "instance", "text"],
)
def test_entry_that_lacks_a_step_is_refused_by_name(entry, message, toy, monkeypatch):
    """Whatever board is built: the whole table is read."""
    monkeypatch.setitem(TARGETS, "half", entry)
    with pytest.raises(SpikeloomError, match=message):
        targets.of(toy)
