"""Torch models: binary layers, neurons and the BESTformer. Torch is an optional dependency."""

from hw.arch.errors import SpikeloomError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise SpikeloomError(
        "sw.models and sw.train need PyTorch, which is not installed: run pip install -e '.[train]'"
    ) from error

from sw.models.bestformer import Bestformer
from sw.models.config import BestformerConfig

__all__ = ["Bestformer", "BestformerConfig"]
