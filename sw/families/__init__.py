"""Families of trained networks: one line for each, which states all that is its own.

A checkpoint is of the first family that recognises its keys. Nothing here needs torch.
"""

from hw.common.errors import SpikeloomError
from sw.families.bestformer import BESTFORMER
from sw.families.family import Family, State, Training, checked
from sw.families.fields import Config
from sw.families.qsnn import QSNN

__all__ = [
    "FAMILIES",
    "Family",
    "State",
    "Training",
    "checked",
    "named",
    "of_config",
    "of_state",
    "titled",
    "trained",
]

FAMILIES = checked((
    BESTFORMER,
    QSNN,
))  # fmt: skip


def of_state(state: State) -> Family | None:
    """Return the family of a checkpoint's tensors, or None."""
    return next((family for family in FAMILIES if family.recognises(state)), None)


def titled(title: object) -> Family | None:
    """Return the family of a network by its ``meta["family"]``, or None."""
    return next((family for family in FAMILIES if family.title == title), None)


def trained() -> tuple[Family, ...]:
    """Return the families that `sw.train` trains; the first is what it trains if not told."""
    return tuple(family for family in FAMILIES if family.training is not None)


def named(name: object, where: str) -> Family:
    """Return the family called ``name`` in a checkpoint's JSON, read from ``where``."""
    for family in trained():
        if family.name == name:
            return family
    names = " or ".join(repr(family.name) for family in trained())
    raise SpikeloomError(
        f"{where}: model is {name!r}, wanted {names}; give a configuration that sw.train wrote"
    )


def of_config(config: Config) -> Family:
    """Return the family of a configuration."""
    for family in trained():
        if family.training is not None and isinstance(config, family.training.config):
            return family
    raise SpikeloomError(
        f"Training: {type(config).__name__} is the configuration of no family, wanted that of "
        f"{', '.join(family.title for family in trained())}"
    )
