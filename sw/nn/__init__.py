"""Torch pieces that all families share: binary layers, rounding, neurons and normalisation.

Torch is an optional dependency: where it is missing, importing this package says so.
"""

from hw.common.errors import SpikeloomError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise SpikeloomError(
        "sw.nn and sw.train need PyTorch, which is not installed: run pip install -e '.[train]'"
    ) from error
