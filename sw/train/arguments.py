"""Options of the command line: which family has them, and with which defaults."""

import argparse
import dataclasses
from typing import Any

from hw.common.errors import SpikeloomError
from hw.common.options import real, whole
from sw import families
from sw.data.catalogue import NAMES
from sw.families import Family
from sw.families.arguments import Argument, argument
from sw.families.options import PRECISIONS, WARMUP

#: Of the configurations of all families.
MODEL = (
    argument(
        "size",
        "image height and width in pixels; default: 16 of digits, else as published",
        example=32,
        settled=True,
        type=int,
    ),
    argument("steps", "time steps T", type=int),
    argument("mean", "x = (pixel / 255 - mean) / std", type=float),
    argument("std", "x = (pixel / 255 - mean) / std", type=float),
    argument(
        "channels",
        "of the images; default: the data set's",
        example=3,
        settled=True,
        type=int,
    ),
    argument("classes", "default: the data set's", example=10, settled=True, type=int),
)


def _run_options() -> tuple[Argument, ...]:
    """Options of the runs of all families."""
    optimisers = ", ".join(f"{f.name} {t.optimiser}" for f, t in _trained())
    return (
        argument("data", f"data set: {', '.join(NAMES)}", metavar="NAME"),
        argument(
            "images", "training images used, the first ones; 0 for all", type=int, metavar="N"
        ),
        argument("seed", "decides initial weights, order and augmentation", type=int),
        argument("epochs", "passes over the training images", type=int),
        argument(
            "rounded",
            "of the epochs, the last ones, through the integer network's rounding; "
            "default: a tenth",
            type=int,
            metavar="N",
        ),
        argument("batch", "images per update", type=int),
        argument("lr", f"peak learning rate ({optimisers}), then cosine to 0", type=float),
        argument(
            "warmup",
            "epochs of linear warm-up; where there is no default, a fifth of --epochs, "
            f"at most {WARMUP}",
            type=float,
        ),
        argument("weight_decay", "of convolution and linear weights", type=float),
        argument("label_smoothing", "of the cross-entropy", type=float),
        argument("augment", "strength of augmentation, 0 for none", type=float),
        argument(
            "ema",
            "decay of the average of weights, which is what is measured and kept; 0 for none",
            type=float,
        ),
        argument(
            "precision",
            "of matrix products: float32, or mixed precision for a GPU",
            choices=PRECISIONS,
        ),
        argument(
            "validation",
            "training images held out and measured; default: 237 of digits, else 5000 or a tenth",
            type=int,
        ),
    )


def _trained() -> list[tuple[Family, families.Training]]:
    return [(f, f.training) for f in families.trained() if f.training is not None]


def model_options(family: Family) -> tuple[Argument, ...]:
    """Return the options that make a configuration of ``family``."""
    assert family.training is not None
    return (*MODEL, *family.training.arguments)


def run_options(family: Family) -> tuple[Argument, ...]:
    """Return the options that make a run's of ``family``."""
    assert family.training is not None
    return (*_run_options(), *family.training.run_arguments)


def flag(name: str) -> str:
    """The option's name on the command line."""
    return f"--{name.replace('_', '-')}"


def default(family: Family, option: Argument) -> Any:
    """What ``family`` takes where ``option`` is not given; None: the data set or the run says."""
    assert family.training is not None
    if option.settled:
        return None
    for holder in (family.training.options, family.training.config):
        for field in dataclasses.fields(holder):  # type: ignore[arg-type]
            if field.name == option.name:
                return field.default if field.default != "" else None
    raise TypeError(f"{family.name} has no field {option.name}")


def _told(values: dict[str, Any]) -> str:
    """The defaults in words, by family."""

    def words(value: Any) -> str:
        return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)

    told = {family: words(v) for family, v in values.items() if v is not None}
    if not told:
        return ""
    if len(set(told.values())) == 1 and len(told) == len(values):
        return f" (default: {next(iter(told.values()))})"
    return f" (default: {', '.join(f'{family} {v}' for family, v in told.items())})"


def _typed(option: Argument, defaults: dict[str, Any]) -> dict[str, Any]:
    """Arguments of ``add_argument`` with a type that names the form it wants."""
    kind = option.kind
    if kind.get("type") is bool:
        return {"action": argparse.BooleanOptionalAction}
    if "choices" in kind or kind.get("type") not in (int, float):
        return kind
    known = [v for v in defaults.values() if v is not None and v != ()]
    example = option.example if option.example is not None else (known[0] if known else 1)
    if isinstance(example, tuple):
        example = example[0]
    form = whole if kind["type"] is int else real
    return {**kind, "type": form(f"a value of {flag(option.name)}", example)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options to ``parser``; those that are not given leave no attribute."""
    for title, common, own in (
        ("model", MODEL, lambda training: training.arguments),
        ("run", _run_options(), lambda training: training.run_arguments),
    ):
        having = {option.name: (option, families.trained()) for option in common}
        for family, training in _trained():
            for option in own(training):
                first, others = having.get(option.name, (option, ()))
                having[option.name] = (first, (*others, family))
        groups = {families.trained(): parser.add_argument_group(title)}
        for option, some in having.values():
            names = " or ".join(family.name for family in some)
            if some not in groups:
                groups[some] = parser.add_argument_group(f"{title}, only with --model {names}")
            defaults = {family.name: default(family, option) for family in some}
            groups[some].add_argument(
                flag(option.name),
                default=argparse.SUPPRESS,
                help=option.help + _told(defaults),
                **_typed(option, defaults),
            )


def given(args: argparse.Namespace, family: Family) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values given of ``family``'s model and run; an option of another family is refused."""
    own = (model_options(family), run_options(family))
    theirs = [
        option
        for other in families.trained()
        for option in (*model_options(other), *run_options(other))
    ]
    names = {option.name for options in own for option in options}
    foreign = dict.fromkeys(
        flag(o.name) for o in theirs if o.name not in names and hasattr(args, o.name)
    )
    if foreign:
        have = " ".join(flag(option.name) for options in own for option in options)
        raise SpikeloomError(
            f"Command line: {', '.join(foreign)} given, which --model {family.name} does not have "
            f"(it has {have}); leave it out, or choose another --model"
        )
    model, run = (
        {o.name: getattr(args, o.name) for o in options if hasattr(args, o.name)} for options in own
    )
    return model, run
