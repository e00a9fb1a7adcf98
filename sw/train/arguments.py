"""Options of the command line: which family has them, and with which defaults."""

import argparse
from dataclasses import dataclass, field
from typing import Any

from hw.common.errors import SpikeloomError
from hw.common.options import real, whole
from sw.data.catalogue import NAMES

FAMILIES: tuple[str, ...] = ("bestformer", "qsnn")


def alpha(text: str) -> float | None:
    """Scale of stored membranes; 'batch' is None."""
    return None if text == "batch" else real("a scale or 'batch'", "1.0 (or batch)")(text)


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of one family or both. ``defaults`` repeat, for the help, what its class holds."""

    name: str  #: Of the field it sets; ``size`` sets two.
    help: str
    defaults: dict[str, Any]  #: Family to default; the families that have the option.
    kind: dict[str, Any] = field(default_factory=dict)  #: Arguments of ``add_argument``.
    example: Any = None  #: In messages; None: its default.


def _both(name: str, help: str, default: Any, example: Any = None, **kind: Any) -> Option:
    defaults = dict.fromkeys(FAMILIES, default)
    return Option(name=name, help=help, defaults=defaults, kind=kind, example=example)


def _each(name: str, help: str, bestformer: Any, qsnn: Any, **kind: Any) -> Option:
    defaults = {"bestformer": bestformer, "qsnn": qsnn}
    return Option(name=name, help=help, defaults=defaults, kind=kind)


def _one(family: str, name: str, help: str, default: Any, **kind: Any) -> Option:
    return Option(name=name, help=help, defaults={family: default}, kind=kind)


MODEL = (
    _both(
        "size",
        "image height and width in pixels; default: 16 of digits, else as published",
        None,
        32,
        type=int,
    ),
    _each("steps", "time steps T", 4, 2, type=int),
    _both("mean", "x = (pixel / 255 - mean) / std", 0.0, type=float),
    _both("std", "x = (pixel / 255 - mean) / std", 1.0, type=float),
    _one("bestformer", "variant", "tokenizer", "cifar", choices=["cifar", "imagenet"]),
    _one("bestformer", "attention", "product with the binary map", "qk", choices=["qk", "kv"]),
    _one("bestformer", "similarity", "of q and k", "and", choices=["and", "xnor"]),
    _one(
        "bestformer", "theta", "threshold of the XNOR map, d / 2 + 1 if not given", None, type=float
    ),
    _one("bestformer", "embed_dim", "channels D", 64, type=int),
    _one("bestformer", "depth", "encoder blocks", 2, type=int),
    _one("bestformer", "heads", "attention heads H", 4, type=int),
    _both("channels", "of the images; default: the data set's", None, 3, type=int),
    _both("classes", "default: the data set's", None, 10, type=int),
    _one(
        "bestformer",
        "reversible",
        "two coupled streams and two heads; a network without is for comparison only",
        True,
        action=argparse.BooleanOptionalAction,
    ),
    _one(
        "bestformer",
        "binary",
        "1-bit weights and map; --no-binary trains the full-precision counterpart",
        True,
        action=argparse.BooleanOptionalAction,
    ),
    _one("bestformer", "mlp_ratio", "hidden width of the MLP in units of D", 4, type=int),
    _one("qsnn", "net", "residual or VGG net", "resnet", choices=["resnet", "vgg"]),
    _one(
        "qsnn",
        "widths",
        "channels of each stage, or of each VGG convolution",
        (16, 32, 64),
        type=int,
        nargs="+",
    ),
    _one(
        "qsnn",
        "blocks",
        "basic blocks of each stage of a residual net",
        (1, 1, 1),
        type=int,
        nargs="+",
    ),
    _one(
        "qsnn", "stem", "kernel of a residual net's first convolution", 3, type=int, choices=[3, 7]
    ),
    _one(
        "qsnn",
        "halve",
        "VGG convolutions, from 1 on, that read half the size",
        (),
        type=int,
        nargs="*",
    ),
    _one("qsnn", "downsampling", "how VGG nets halve", "pool", choices=["pool", "stride"]),
    _one(
        "qsnn",
        "regulated",
        "weight regulation: weights standardised before their sign; a "
        "network without is for comparison only",
        True,
        action=argparse.BooleanOptionalAction,
    ),
    _one("qsnn", "membrane_bits", "of a stored membrane", 8, type=int, choices=[2, 4, 8]),
    _one(
        "qsnn",
        "alpha",
        "scale of stored membranes, or 'batch' for the authors' maximum over the batch",
        1.0,
        type=alpha,
    ),
)

RUN = (
    _both("data", f"data set: {', '.join(NAMES)}", "digits", metavar="NAME"),
    _both("images", "training images used, the first ones; 0 for all", 0, type=int, metavar="N"),
    _both("seed", "decides initial weights, order and augmentation", 0, type=int),
    _each("epochs", "passes over the training images", 50, 100, type=int),
    _both(
        "rounded",
        "of the epochs, the last ones, through the integer network's rounding; default: a tenth",
        None,
        type=int,
        metavar="N",
    ),
    _both("batch", "images per update", 32, type=int),
    _each(
        "lr",
        "peak learning rate (bestformer AdamW, qsnn SGD), then cosine to 0",
        3e-2,
        0.1,
        type=float,
    ),
    _each(
        "warmup",
        "epochs of linear warm-up; of a bestformer, if not given, a fifth of --epochs, at most 5",
        None,
        0,
        type=float,
    ),
    _each("weight_decay", "of convolution and linear weights", 0.06, 5e-4, type=float),
    _both("label_smoothing", "of the cross-entropy", 0.1, type=float),
    _one("qsnn", "rate_weight", "share of the spike-rate loss", 5e-3, type=float),
    _both("augment", "strength of augmentation, 0 for none", 0.6, type=float),
    _both(
        "ema",
        "decay of the average of weights, which is what is measured and kept; 0 for none",
        0.0,
        type=float,
    ),
    _both(
        "precision",
        "of matrix products: float32, or mixed precision for a GPU",
        "float32",
        choices=["float32", "float16", "bfloat16"],
    ),
    _one(
        "bestformer",
        "teacher",
        "of the second head: 'train' for a full-precision counterpart "
        "that is trained first, a checkpoint, or MODULE:CALLABLE that makes any torch module",
        None,
    ),
    _one(
        "bestformer",
        "teacher_epochs",
        "epochs of the teacher that is trained; 0 for --epochs",
        0,
        type=int,
    ),
    _both(
        "validation",
        "training images held out and measured; default: 237 of digits, else 5000 or a tenth",
        None,
        type=int,
    ),
)


def flag(name: str) -> str:
    """The option's name on the command line."""
    return f"--{name.replace('_', '-')}"


def _default(option: Option) -> str:
    def words(value: Any) -> str:
        return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)

    values = {family: words(v) for family, v in option.defaults.items() if v is not None}
    if not values:
        return ""
    if len(set(values.values())) == 1 and len(values) == len(option.defaults):
        return f" (default: {next(iter(values.values()))})"
    return f" (default: {', '.join(f'{family} {v}' for family, v in values.items())})"


def _typed(option: Option) -> dict[str, Any]:
    """Arguments of ``add_argument`` with a type that names the form it wants."""
    kind = option.kind
    if "choices" in kind or kind.get("type") not in (int, float):
        return kind
    known = [v for v in option.defaults.values() if v is not None and v != ()]
    example = option.example if option.example is not None else (known[0] if known else 1)
    if isinstance(example, tuple):
        example = example[0]
    form = whole if kind["type"] is int else real
    return {**kind, "type": form(f"a value of {flag(option.name)}", example)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options to ``parser``; those that are not given leave no attribute."""
    for title, options in (("model", MODEL), ("run", RUN)):
        groups = {FAMILIES: parser.add_argument_group(title)}
        for option in options:
            families = tuple(option.defaults)
            if families not in groups:
                name = f"{title}, only with --model {families[0]}"
                groups[families] = parser.add_argument_group(name)
            groups[families].add_argument(
                flag(option.name),
                default=argparse.SUPPRESS,
                help=option.help + _default(option),
                **_typed(option),
            )


def given(args: argparse.Namespace, options: tuple[Option, ...]) -> dict[str, Any]:
    """The values of those ``options`` that were given; one of another family is refused."""
    values = {o.name: getattr(args, o.name) for o in options if hasattr(args, o.name)}
    foreign = [flag(o.name) for o in options if o.name in values and args.model not in o.defaults]
    if foreign:
        own = " ".join(flag(o.name) for o in options if args.model in o.defaults)
        raise SpikeloomError(
            f"Command line: {', '.join(foreign)} given, which --model {args.model} does not have "
            f"(it has {own}); leave it out, or choose another --model"
        )
    return values
