"""Layouts: every instruction field at its bits; structs without gaps."""

import numpy as np
import pytest

from hw.arch.isa import FIELDS, NI
from hw.core.words import ADDR, Tag, Word, instruction_layout


def test_instruction_fields_lie_where_the_isa_says():
    rng = np.random.default_rng(0)
    words = rng.integers(1 << 32, size=NI).tolist()
    insn = instruction_layout().from_bits(sum(w << 32 * n for n, w in enumerate(words)))
    for f in FIELDS:
        bits = words[f.word] >> f.low & (1 << f.bits) - 1
        assert insn[f.name] == (bits - (bits >> f.bits - 1 << f.bits) if f.signed else bits)
    assert instruction_layout().size == 32 * NI


@pytest.mark.parametrize("struct", [Word, Tag])
def test_structs_have_no_gaps(struct):
    layout = struct.as_shape()
    assert layout.size == sum(field.width for _, field in layout) > ADDR
