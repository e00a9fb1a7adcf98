"""Write-back: spikes, pooled words and x to row, column and pixel memory."""

from hw.core.writeback.unit import WriteBack

__all__ = ["WriteBack"]
