"""Blocks from outside in the interpreter's column memory."""

import numpy as np
import pytest

from hw.arch import Config, isa
from hw.arch.isa import Op
from sim.interpreter.blocks import Blocks
from sim.interpreter.machine import Memories

CONFIG = Config(rows=4, cols=8, width=64, col_depth=64, block_depth=16)
OUTSIDE = np.random.default_rng(0).integers(0, 1 << 32, 500, dtype=np.uint32)


def made():
    memories = Memories(CONFIG, np.zeros((8, 0, 2), np.uint32))
    return memories, Blocks(memories, OUTSIDE)


def move(addr, words, blocks):
    fields = {"out_low": addr % 65536, "out_high": addr >> 16, "n_k": words, "n_j": blocks}
    return isa.decode(isa.encode(Op.MOVE, **fields))


def test_blocks_come_by_turns_word_by_word_bank_by_bank():
    memories, blocks = made()
    blocks.order(move(10, 3, 2))
    blocks.order(move(200, 1, 1))
    for base, at, words in ((0, 10, 3), (16, 10 + 3 * 16, 3), (0, 200, 1)):
        assert blocks.take() == base
        got = memories.col[:, base : base + words].view("<u4")
        want = OUTSIDE[at : at + words * 16].reshape(words, 8, 2).transpose(1, 0, 2)
        assert (got == want).all()
    blocks.finish()


def test_no_block_is_taken_that_was_not_ordered_and_none_is_left():
    memories, blocks = made()
    memories.instruction = 7
    with pytest.raises(AssertionError, match="instruction 7 wants a block that no move brings"):
        blocks.take()
    blocks.order(move(0, 1, 2))
    blocks.take()
    with pytest.raises(AssertionError, match="1 blocks are ordered for nothing"):
        blocks.finish()
