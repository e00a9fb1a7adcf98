"""What a family of trained networks states about itself, and the check of the table of them."""

import dataclasses
import importlib.util
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hw.common.errors import SpikeloomError
from sw.families.arguments import Argument
from sw.families.fields import Config
from sw.families.options import TrainOptions
from sw.families.settings import Settings
from sw.graph import FloatNetwork

State = dict[str, np.ndarray]  #: Tensors of a checkpoint by key.


class Reader(Protocol):
    """Makes the float graph of a checkpoint's tensors, or of what else a family's files hold.

    SpikeloomError names the file at ``path`` where a key, a shape or a setting does not fit.
    ``name`` and ``meta`` are for the network; the reader adds its own labels to ``meta``.
    """

    def __call__(
        self, path: pathlib.Path, state: Any, settings: Settings, /, *, name: str, meta: dict
    ) -> FloatNetwork:
        """Return the float graph; every key and shape is checked first."""
        ...


@dataclass(frozen=True, kw_only=True)
class Training:
    """How networks of a family are trained. Nothing here needs torch; what does stands behind
    ``hooks``.
    """

    config: type[Config]  #: Everything that fixes a network's tensors and arithmetic.
    options: type[TrainOptions]  #: Everything that decides a run's outcome.
    arguments: tuple[Argument, ...]  #: The command line's for fields of ``config`` of its own,
    run_arguments: tuple[Argument, ...] = ()  #: and of ``options``.
    summary: str  #: What is trained: "a quantised spiking network (Q-SNN)".
    predicts: str  #: Of what the predicted class is: "the mean of a Q-SNN's steps".
    optimiser: str  #: Its name, for the help.
    streams: bool = False  #: Whether a configuration can be a ``stream``, trained on sequences.
    hooks: str  #: Module whose ``HOOKS`` are `sw.families.learner.Hooks`; only it needs torch.


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """A family of trained networks: how its checkpoints are known and read, and how it is trained.

    Parameters
    ----------
    name : str
        In commands and in checkpoints' JSON: "qsnn".
    title : str
        In sentences and in a network's ``meta["family"]``: "Q-SNN".
    keys : str
        Some of its keys, to tell a user whose checkpoint is of no family.
    settings : tuple of str
        Fields of `Settings` that its reader asks for; others are refused.
    recognises : callable
        Whether tensors are a network of this family, by their keys.
    read : Reader
        Float graph of tensors and settings.
    told : callable
        Of a float graph of this family: what ``sw.load`` must be told besides tensors, steps,
        normalisation and image size, as fields of JSON types.
    unify : callable
        Each tensor once, under one name, of a state dict that has some under several.
    own_names : str
        Pattern of the first parts of its keys, at which wrappers' prefixes end: in
        "net.backbone.conv1.weight" where "conv1" is the network's. Without it only the usual
        prefixes are taken off.
    own_modules : str
        Pattern of keys in which "module" is a name of its own, no wrapper's.
    comparison : tuple of str
        JSON fields that are false beside networks for comparison only.
    training : Training, optional
        None: its networks are read and run.
    """

    name: str
    title: str
    keys: str
    settings: tuple[str, ...]
    recognises: Callable[[State], bool]
    read: Reader
    told: Callable[[FloatNetwork], Mapping[str, Any]] = lambda net: {}
    unify: Callable[[State], State] = dict
    own_names: str = ""
    own_modules: str = ""
    comparison: tuple[str, ...] = ()
    training: Training | None = None


def checked(families: Iterable[Family]) -> tuple[Family, ...]:
    """Return ``families`` as the table is read: in order of recognition, each as it should be.

    Raises
    ------
    SpikeloomError
        Two families of a name, one without a reader, settings that nothing reads, or training
        without what it needs; with the family's name.
    """
    table = tuple(families)
    for place, family in enumerate(table):
        if not isinstance(family, Family):
            raise SpikeloomError(
                f"Table of families: entry {place} is a {type(family).__name__}, wanted a Family"
            )
        earlier = table[:place]
        for field in ("name", "title"):
            if getattr(family, field) in (getattr(other, field) for other in earlier):
                _refuse(family, f"its {field} is that of an earlier family", "choose another")
        for field in ("recognises", "read", "told", "unify"):
            if not callable(getattr(family, field)):
                _refuse(family, f"has no function {field!r}", "state one")
        for field in ("own_names", "own_modules"):
            try:
                re.compile(getattr(family, field))
            except (re.error, TypeError) as error:
                _refuse(family, f"its {field} are no pattern ({error})", "correct it")
        known = [f.name for f in dataclasses.fields(Settings)]
        if strange := [name for name in family.settings if name not in known]:
            wanted = f"add the field to Settings, or take one of {', '.join(known)}"
            _refuse(family, f"asks for the settings {', '.join(strange)}, which are none", wanted)
        if family.training is not None:
            _check_training(family, family.training)
    return table


def _check_training(family: Family, training: Training) -> None:
    if not isinstance(training, Training):
        _refuse(family, f"its training is a {type(training).__name__}", "state a Training")
    for field in ("config", "options"):
        if not dataclasses.is_dataclass(getattr(training, field)):
            _refuse(family, f"its training has no dataclass {field!r}", "state one")
    for field in ("arguments", "run_arguments"):
        holder = training.config if field == "arguments" else training.options
        known = {f.name for f in dataclasses.fields(holder)}  # type: ignore[arg-type]
        for argument in getattr(training, field):
            if argument.name not in known:
                text = f"has an option for {argument.name!r}, which {holder.__name__} has not"
                _refuse(family, text, "leave it out")
    try:
        found = bool(training.hooks) and importlib.util.find_spec(training.hooks) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        _refuse(
            family,
            f"is to be trained, and there is no module {training.hooks!r} with its hooks",
            "write it, or leave training out",
        )


def _refuse(family: Family, fault: str, cure: str) -> None:
    raise SpikeloomError(f"Table of families: {family.name}: {fault}; {cure}")
