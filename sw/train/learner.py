"""The torch parts of the family that a configuration is of."""

import importlib

from hw.common.errors import SpikeloomError
from sw import families
from sw.families.learner import Hooks, Learner, Teacher
from sw.families.options import TrainOptions


def hooks(family: families.Family) -> Hooks:
    """Return the hooks of a family that is trained.

    Raises
    ------
    SpikeloomError
        If its module holds none, or one of them is missing.
    """
    assert family.training is not None
    module = family.training.hooks
    found = getattr(importlib.import_module(module), "HOOKS", None)
    if not isinstance(found, Hooks):
        raise SpikeloomError(
            f"Table of families: {family.name}: {module} holds no HOOKS, wanted "
            "sw.families.learner.Hooks; state them there"
        )
    for name, hook in vars(found).items():
        if not callable(hook):
            raise SpikeloomError(
                f"Table of families: {family.name}: its hooks in {module} have no {name}; state one"
            )
    return found


def make_learner(options: TrainOptions, teacher: Teacher | None = None) -> Learner:
    """Return a learner of the family whose configuration ``options`` hold."""
    family = families.of_config(options.config)
    assert family.training is not None
    wanted = family.training.options
    if not isinstance(options, wanted):
        raise SpikeloomError(
            f"Training: {type(options).__name__} hold the configuration of a {family.title}, "
            f"wanted options of that family; use {wanted.__name__}"
        )
    return hooks(family).learner(options, teacher)
