"""Mapped networks, and their instructions and constants, for tests of single layer kinds."""

import numpy as np

from hw.arch import isa
from hw.arch.config import Config
from sw.compiler.mapper import Mapper


def mapped(net, config=None):
    """Map ``net``; what does not fit is allowed, what cannot be said is not."""
    mapper = Mapper(net, config or Config())
    assert mapper.problems == []
    return mapper


def code(mapper):
    """Return (label, instruction) of each instruction, by layer; of several, the last."""
    decoded = isa.instructions(mapper.words)
    return {label.layer: (label, i) for label, i in zip(mapper.labels, decoded, strict=True)}


def fields(instruction, *names):
    """Return the fields of an instruction as a dictionary."""
    return {name: getattr(instruction, name) for name in names}


def number(mapper, lane, word, bits):
    """Return the signed number in the low bits of a constant."""
    low = int.from_bytes(mapper.constants.image[lane, word].tobytes(), "little") & ((1 << bits) - 1)
    return low - (low >> (bits - 1) << bits)


def bits(mapper, lane, word):
    """Return a constant as bits, least significant first."""
    return np.unpackbits(mapper.constants.image[lane, word], bitorder="little").tolist()
