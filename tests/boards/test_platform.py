"""What is taken from a platform of amaranth-boards, and what is refused."""

import pytest
from amaranth.build import Attrs, Clock, Pins, Platform, Resource, Subsignal

from boards.platform import Facts, facts, platform_class
from hw.common.errors import SpikeloomError

UART = Resource("uart", 0, Subsignal("rx", Pins("2", dir="i")), Subsignal("tx", Pins("3", dir="o")))
CLOCK = Resource("osc", 0, Pins("1", dir="i"), Clock(12e6), Attrs())


def platform(**changes):
    """A platform of a part in package QF-20, speed 3; fields as its class has them."""
    fields = {
        "device": "abc7",
        "package": "QF-20",
        "speed": "3",
        "default_clk": "osc",
        "default_rst": None,
        "required_tools": [],
        "connectors": [],
        "resources": [CLOCK, UART],
        "toolchain_prepare": None,
    }
    return type("Mine", (Platform,), {**fields, **changes})()


def test_facts():
    assert facts(platform(), "b", "ABC7-qf20.3") == Facts("osc", 12_000_000, None)
    assert facts(platform(default_rst="button"), "b", "abc7qf203").reset_resource == "button"


def test_part_with_speed_before_package_and_a_grade():
    """Lattice writes them so: LFE5U-85F-6BG381C."""
    lattice = platform(device="LFE5U-85F", package="BG381", speed="6", grade="C")
    assert facts(lattice, "b", "LFE5U-85F-6BG381C").clock == 12_000_000
    with pytest.raises(SpikeloomError):
        facts(lattice, "b", "LFE5U-85F-6BG381")


@pytest.mark.parametrize("part", ["abc8qf203", "abc7qf303", "abc7qf204", "abc7", "abc7qf2033", ""])
def test_another_part(part):
    with pytest.raises(SpikeloomError) as e:
        facts(platform(), "b", part)
    assert str(e.value) == (
        f"board b: its part is {part!r}, but its platform Mine has a abc7 in QF-20, speed 3; "
        "correct part or platform"
    )


PART = "abc7qf203"


@pytest.mark.parametrize(
    "changes",
    [
        {"default_clk": None},
        {"resources": [Resource("osc", 0, Pins("1", dir="i")), UART]},
    ],
    ids=["no name", "no frequency"],
)
def test_no_clock(changes):
    with pytest.raises(SpikeloomError, match=r"^board b: its platform Mine names no default clock"):
        facts(platform(**changes), "b", PART)


def test_clock_of_no_whole_hertz():
    odd = Resource("osc", 0, Pins("1", dir="i"), Clock(100e6 / 3), Attrs())
    with pytest.raises(SpikeloomError, match=r"^board b: the clock osc .* has 33333333\.3.* Hz"):
        facts(platform(resources=[odd, UART]), "b", PART)


def test_no_uart():
    second = Resource("uart", 1, Pins("2", dir="i"))
    with pytest.raises(
        SpikeloomError, match=r"^board b: its platform Mine has no resource 'uart' 0"
    ):
        facts(platform(resources=[CLOCK, second]), "b", PART)


def test_class_by_its_path():
    assert platform_class("boards.platform:Facts", "b") is Facts


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("boards.nothing:X", r"boards\.nothing cannot be imported \(.*\); correct platform$"),
        ("amaranth_nothing.x:X", r"cannot be imported \(.*\); pip install amaranth-boards$"),
        ("boards.platform:None_", "but boards.platform has no class 'None_'; give it as"),
        ("boards.platform:facts", "but boards.platform has no class 'facts'; give it as"),
        ("boards.platform", "platform is 'boards.platform', but .* has no class ''; give it as"),
    ],
)
def test_path_of_no_class(path, message):
    with pytest.raises(SpikeloomError, match=f"^board b: .*{message}"):
        platform_class(path, "b")
