"""Instructions and memories made by hand."""

import numpy as np

from hw.arch.config import Config
from hw.arch.isa import LEVELS, Instruction, Op
from sim.interpreter.machine import Memories


def instruction(op=Op.GEMM, **fields):
    """Return an instruction whose counts are 1 unless given."""
    counts = {f"n_{level}": 1 for level in LEVELS}
    return Instruction(**{"op": op, "tile_min": 2, "slots": 1, "lanes": 16} | counts | fields)


def memories(config=None):
    """Return memories that record; nothing is in column memory."""
    config = config or Config()
    m = Memories(config, np.zeros((config.cols, 0, config.width // 32), np.uint32))
    m.start_record(True)
    return m
