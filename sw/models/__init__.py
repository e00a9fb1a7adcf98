"""Torch models: binary layers, neurons BESTformer and Q-SNN. Torch is an optional dependency."""

from hw.common.errors import SpikeloomError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise SpikeloomError(
        "sw.models and sw.train need PyTorch, which is not installed: run pip install -e '.[train]'"
    ) from error

from sw.models.bestformer import Bestformer
from sw.models.config import BestformerConfig
from sw.models.qsnn import Qsnn
from sw.models.qsnn_config import QsnnConfig

__all__ = ["Bestformer", "BestformerConfig", "Qsnn", "QsnnConfig"]
