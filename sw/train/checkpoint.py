"""Checkpoints: a safetensors file under the authors' keys and its configuration, a JSON file.

``X.safetensors`` lies beside ``X.json``. Tensors are float32; a binary layer's may be int8 in their
place (``compact``), which binarise to the same weights once cast to float32: -1/+1, and in a Q-SNN
two larger ones in a filter whose scale asks for them.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hw.common.errors import SpikeloomError
from hw.common.files import read_json, write
from sw import families
from sw.frontend import weights
from sw.nn.network import Network
from sw.train.learner import hooks

CURE = "check space and permissions, then repeat (training: with --resume)"


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``; whoever reads it sees the old file or the new one."""
    write(path, content, CURE)


def own_tensors(model: nn.Module) -> dict[str, Tensor]:
    """State dict without bookkeeping, each tensor once under the first of its names."""
    tensors: dict[str, Tensor] = {}
    seen = set()
    for name, tensor in model.state_dict().items():
        if not name.endswith("num_batches_tracked") and tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            tensors[name] = tensor
    return tensors


def checkpoint_tensors(model: Network, *, compact: bool = False) -> dict[str, Tensor]:
    """Tensors of a checkpoint by key; ``compact`` stores binary layers as int8 where it can."""
    tensors = {
        name: tensor.detach().float().contiguous() for name, tensor in own_tensors(model).items()
    }
    if compact:
        for name, module in model.named_modules():
            compact_weight = getattr(module, "compact_weight", None)  # of binary layers
            if compact_weight is not None and (whole := compact_weight()) is not None:
                tensors[f"{name}.weight"] = whole
    return tensors


def save_checkpoint(
    model: Network,
    path: Path,
    notes: dict[str, Any] | None = None,
    *,
    compact: bool = False,
) -> None:
    """Write ``path`` (.safetensors) and the JSON beside it, each atomically.

    Parameters
    ----------
    model : Network
        What to write; its configuration makes the JSON's fields.
    path : Path
        Ends in .safetensors; its folder exists.
    notes : dict, optional
        Further JSON fields.
    compact : bool
        Store binary layers as int8; the network stays the same.
    """
    if path.suffix != ".safetensors":
        raise SpikeloomError(
            f"Checkpoint path {path}: ends in {path.suffix!r}, wanted '.safetensors'; rename it"
        )
    fields = {**model.config.to_json(), **(notes or {})}
    tensors = checkpoint_tensors(model, compact=compact)
    content = weights.seal({name: tensor.cpu().numpy() for name, tensor in tensors.items()})
    write_atomically(path.with_suffix(".json"), (json.dumps(fields, indent=1) + "\n").encode())
    write_atomically(path, content)


def load_checkpoint(path: Path) -> tuple[Network, dict[str, Any]]:
    """The model in evaluation mode, and all fields of its JSON file.

    Parameters
    ----------
    path : Path
        The .safetensors file.
    """
    beside = path.with_suffix(".json")
    for file in (path, beside):
        if not file.is_file():
            raise SpikeloomError(
                f"{file}: no such file; a checkpoint is X.safetensors with X.json beside it"
            )
    fields = read_json(beside, "write the checkpoint anew")
    tensors = {name: torch.from_numpy(a.copy()) for name, a in weights.read(path).items()}
    if not isinstance(fields, dict):
        raise SpikeloomError(f"{beside}: holds no JSON object; write the checkpoint anew")
    family = families.named(fields.get("model"), str(beside))
    assert family.training is not None
    model = hooks(family).network(family.training.config.from_json(fields, str(beside)))
    wanted = own_tensors(model)
    for name in sorted(wanted.keys() | tensors.keys()):
        if name not in tensors or name not in wanted:
            fault = "is missing" if name not in tensors else "has no place in this configuration"
            raise SpikeloomError(f"{path}: tensor {name} {fault}; {beside} must describe this file")
        if tensors[name].shape != wanted[name].shape:
            raise SpikeloomError(
                f"{path}: tensor {name} has shape {tuple(tensors[name].shape)}, wanted "
                f"{tuple(wanted[name].shape)}; {beside} must describe this file"
            )
    model.load_state_dict({n: t.float() for n, t in tensors.items()}, strict=False)
    return model.eval(), fields
