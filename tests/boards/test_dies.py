"""Dies: their budgets are of what targets count."""

from boards.dies import DIES
from hw.targets import TARGETS


def test_budgets_are_of_what_targets_count():
    for name, die in DIES.items():
        titles = TARGETS[die.family].titles
        assert set(die.resources) <= set(titles), name
        assert die.block.resource in die.resources, name
