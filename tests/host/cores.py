"""Devices that do what the program in their memories says."""

import numpy as np

from hw.arch import Config, SpikeloomError
from sw.host import Device
from tests.host.virtual import Core

ROWS_8 = Config(rows=8)
#: What the interpreter answers where a damaged instruction is none.
REFUSALS = (SpikeloomError, ValueError, IndexError, AssertionError, KeyError)


def loaded(program):
    core = Core(program)
    device = Device(core)
    device.load(program)
    return core, device


def flips(program, count):
    rng = np.random.default_rng(0)
    return [(int(rng.integers(len(program.words))), int(rng.integers(32))) for _ in range(count)]
