"""The teacher of a network's second head: any network that decides classes."""

import importlib
from pathlib import Path

import torch
from torch import Tensor, nn

from hw.common.errors import SpikeloomError
from sw.families.learner import Teacher
from sw.families.options import TrainOptions
from sw.train.checkpoint import load_checkpoint

TRAIN = "train"  #: The option that has the tool train its own.


def teacher_path(out: Path) -> Path:
    """Where a run that writes ``out`` keeps the teacher that it trains."""
    return out.with_name(f"{out.stem}-teacher.safetensors")


def load_teacher(
    options: TrainOptions, out: Path, device: torch.device
) -> tuple[Teacher, nn.Module]:
    """The teacher that ``options`` name; one that is trained lies at `teacher_path`."""
    name = options.teacher
    where = f"Teacher {name!r}"
    if name == TRAIN or name.endswith(".safetensors"):
        path = teacher_path(out) if name == TRAIN else Path(name)
        model, _ = load_checkpoint(path)
        theirs, ours = model.config, options.config
        for field in ("height", "width", "channels", "classes", "mean", "std"):
            if (got := getattr(theirs, field)) != (wanted := getattr(ours, field)):
                raise SpikeloomError(
                    f"{where}: its {field} is {got!r}, wanted the student's {wanted!r}; "
                    "train it with the same"
                )
        module: nn.Module = model
    else:
        module = _made(name, where)
    module = module.to(device).eval().requires_grad_(False)

    def decide(x: Tensor) -> Tensor:
        with torch.no_grad():
            logits = module.mean_logits(x) if hasattr(module, "mean_logits") else module(x)  # type: ignore[operator]
            if not isinstance(logits, Tensor) or logits.shape != (len(x), ours_classes):
                got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
                raise SpikeloomError(
                    f"{where}: gave {got}, wanted logits of shape {(len(x), ours_classes)}; "
                    "wrap it so that it maps normalised images to logits"
                )
            return logits.argmax(1)

    ours_classes = options.config.classes
    return decide, module


def _made(name: str, where: str) -> nn.Module:
    """The torch module that MODULE:CALLABLE makes."""
    place, colon, attribute = name.partition(":")
    if not colon or not place or not attribute:
        raise SpikeloomError(
            f"{where}: wanted 'train', a .safetensors file, or MODULE:CALLABLE that makes a torch "
            "module; change --teacher"
        )
    try:
        make = getattr(importlib.import_module(place), attribute)
    except (ImportError, AttributeError, TypeError) as error:  # TypeError: a relative name
        raise SpikeloomError(
            f"{where}: cannot be imported ({error}); it must be on PYTHONPATH"
        ) from error
    module = make() if callable(make) and not isinstance(make, nn.Module) else make
    if not isinstance(module, nn.Module):
        raise SpikeloomError(
            f"{where}: made a {type(module).__name__}, wanted a torch.nn.Module; correct it"
        )
    return module
