"""The contract: configuration, formats, instruction set, memory map, timing. No logic."""

from hw.arch.config import Config
from hw.common.errors import SpikeloomError

__all__ = ["Config", "SpikeloomError"]
