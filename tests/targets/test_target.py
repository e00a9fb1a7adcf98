"""What every target has without writing it, and which entries of the table are refused."""

import dataclasses

import pytest

import boards
from hw.common.errors import SpikeloomError
from hw.targets import Target
from hw.targets.target import check_entry
from hw.tools import find

#: What a target must write itself, in the order of a build.
STEPS = ("clock", "synthesis", "resources", "check", "timing", "constrain", "route", "pack")


def made(*left_out, **more):
    """A target class with every step but those left out."""
    steps = {name: lambda self, *_: None for name in STEPS}
    fields = {**steps, "titles": {"lut": "LUT"}, **more}
    return type("Made", (Target,), {k: v for k, v in fields.items() if k not in left_out})


def test_whole_one_passes():
    check_entry("mine", made())
    assert made()(boards.get("ulx3s")).board is boards.get("ulx3s")


@pytest.mark.parametrize("name", [*STEPS, "titles"])
def test_each_missing_step_is_named(name):
    with pytest.raises(SpikeloomError) as e:
        check_entry("mine", made(name))
    assert str(e.value) == (
        f"target 'mine': Made lacks {name}; hw/targets/target.py says what a target must have"
    )


def test_all_missing_steps_in_the_order_of_a_build():
    with pytest.raises(SpikeloomError, match=f": Made lacks {', '.join(STEPS)}, titles;"):
        check_entry("mine", made(*STEPS, "titles"))


@pytest.mark.parametrize("entry", [dict, None, "xc7", made()(boards.get("ulx3s"))])
def test_what_is_no_class_of_target(entry):
    with pytest.raises(SpikeloomError, match=r"^target 'mine': .* is no class of hw\.targets\."):
        check_entry("mine", entry)


def test_what_need_not_be_written():
    target = made()(boards.get("ulx3s"))
    assert target.primitives == "generic"
    assert (target.tools, target.route_reads, target.pack_reads) == ((), (), ())
    assert target.elsewhere == ""
    assert target.placed(None) is None
    assert target.inputs() == []


def test_board_must_agree_with_its_platform():
    board = dataclasses.replace(boards.get("ulx3s"), part="LFE5U-45F-6BG381C")
    made()(boards.get("ulx3s")).check_board()
    with pytest.raises(SpikeloomError, match="its part is 'LFE5U-45F-6BG381C', but its platform"):
        made()(board).check_board()


def test_versions_of_tools_decide(monkeypatch):
    """In the order of the tools; None for one that is not here."""
    monkeypatch.setattr(find, "have", lambda name: name != "b")
    monkeypatch.setattr(find, "version", lambda name: f"{name} 1")
    assert made(tools=("c", "b", "a"))(None).inputs() == ["c 1", None, "a 1"]
