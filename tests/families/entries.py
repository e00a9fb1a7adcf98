"""Entries of the table of families."""

import dataclasses

from sw.families.family import Family, Training
from sw.families.qsnn import QSNN

TRAINING = QSNN.training


def other(**changes) -> Family:
    """Another family, as good as Q-SNN but for ``changes``."""
    fields = {"name": "other", "title": "Other", "training": None}
    return dataclasses.replace(QSNN, **fields | changes)


def trained(**changes) -> Training:
    assert TRAINING is not None
    return dataclasses.replace(TRAINING, **changes)
