"""What the table of families refuses of an entry."""

import pytest

from hw.common.errors import SpikeloomError
from sw.families import FAMILIES, checked
from sw.families.arguments import argument
from tests.families.entries import other, trained


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (other(name="qsnn"), "qsnn: its name is that of an earlier family"),
        (other(title="Q-SNN"), "other: its title is that of an earlier family"),
        (other(read=None), "other: has no function 'read'; state one"),
        (other(recognises=None), "other: has no function 'recognises'"),
        (other(own_names="("), "other: its own_names are no pattern"),
        (other(own_modules=None), "other: its own_modules are no pattern"),
        (other(told={}), "other: has no function 'told'"),
        (other(settings=("steps", "colour")), "other: asks for the settings colour, which are"),
        (other(training=True), "other: its training is a bool; state a Training"),
        (other(training=trained(hooks="")), "other: is to be trained, and there is no module ''"),
        (other(training=trained(hooks="sw.families.other")), "no module 'sw.families.other' with"),
        (other(training=trained(hooks="sw.no.such")), "no module 'sw.no.such' with its hooks"),
        (other(training=trained(config=None)), "other: its training has no dataclass 'config'"),
        (other(training=trained(options=None)), "other: its training has no dataclass 'options'"),
        (
            other(training=trained(arguments=(argument("depth", "of it"),))),
            "other: has an option for 'depth', which QsnnConfig has not; leave it out",
        ),
        ("other", "entry 2 is a str, wanted a Family"),
    ],
)
def test_a_bad_entry_is_refused_by_name(entry, message):
    with pytest.raises(SpikeloomError) as error:
        checked((*FAMILIES, entry))
    assert str(error.value).startswith("Table of families: ")
    assert message in str(error.value)
