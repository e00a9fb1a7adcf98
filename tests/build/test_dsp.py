"""A core that takes more DSPs than a part has is refused before synthesis, with what would do."""

import dataclasses

import pytest

import boards
from hw import targets
from hw.arch import Config, SpikeloomError
from hw.arch.parts import dsps
from hw.build.dsp import refuse_too_many


def board(part, **config):
    return dataclasses.replace(boards.get("arty_a7"), part=part, config=Config(**config))


@pytest.mark.parametrize("name", sorted(boards.table()))
def test_boards_have_enough(name):
    made = boards.get(name)
    refuse_too_many(made, targets.of(made).primitives)


@pytest.mark.parametrize(
    ("part", "config", "primitives", "words"),
    [
        ("xc7a35ticsg324-1L", {"acc_bits": 16}, "xc7", "has 90 DSPs.*takes 100, 64.*36.*pixels=2"),
        ("xc7a15tcsg324-1", {}, "xc7", "has 45 DSPs.*takes 84.*pixels=1,means=0 would make it fit"),
        ("xc7a15tcsg324-1", {"pixels": 1}, "xc7", "takes 52.*; means=0 would make it fit"),
        (
            "LFE5U-25F-6BG256C",
            {},
            "ecp5",
            "has 28 DSPs.*takes 64, 64 for its lanes; pixels=1,means=0",
        ),
        ("LFE5U-25F-6BG256C", {"rows": 8, "cols": 32}, "ecp5", "takes 256.*choose a larger board"),
    ],
)
def test_too_few_are_refused(part, config, primitives, words):
    with pytest.raises(SpikeloomError, match=words):
        refuse_too_many(board(part, **config), primitives)


def test_what_is_named_does_fit():
    made = board("xc7a15tcsg324-1", pixels=1, means=0)
    refuse_too_many(made, "xc7")
    assert sum(dsps(made.config, "xc7").values()) == 16 + 20
