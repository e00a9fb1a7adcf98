"""An option as a family states it."""

import dataclasses

import pytest

from sw.families import trained
from sw.families.arguments import Argument, argument


def test_everything_is_kept_where_it_belongs():
    made = argument(
        "widths", "of each stage", example=(16, 32), settled=True, type=int, nargs="+", metavar="N"
    )
    assert made == Argument(
        name="widths",
        help="of each stage",
        kind={"type": int, "nargs": "+", "metavar": "N"},
        example=(16, 32),
        settled=True,
    )


def test_what_is_not_said():
    made = argument("depth", "of it")
    assert (made.name, made.help, made.kind, made.example, made.settled) == (
        "depth",
        "of it",
        {},
        None,
        False,
    )
    assert made.kind is not argument("depth", "of it").kind


def test_it_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        argument("depth", "of it").name = "width"  # type: ignore[misc]


def test_options_of_the_families_are_of_fields_of_theirs():
    for family in trained():
        training = family.training
        assert training is not None
        for options, holder in (
            (training.arguments, training.config),
            (training.run_arguments, training.options),
        ):
            fields = {f.name for f in dataclasses.fields(holder)}  # type: ignore[arg-type]
            names = [option.name for option in options]
            assert set(names) <= fields
            assert len(set(names)) == len(names)
