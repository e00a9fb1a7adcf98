"""Blocks from outside: what moves ordered, until column tiles take it."""

from collections import deque

import numpy as np

from hw.arch.isa import Instruction
from hw.arch.outside import HALVES
from hw.arch.schedule import block_words
from sim.interpreter.machine import Memories


class Blocks:
    """The blocks of a run, in the order of its moves; column tiles take them in that order.

    Parameters
    ----------
    memories : whose column memory they come to.
    outside : the memory outside, uint32 from address 0.
    """

    def __init__(self, memories: Memories, outside: np.ndarray):
        self._memories, self._outside = memories, outside
        self._ordered: deque[tuple[int, int]] = deque()  # outside address, words of a bank
        self._turn = 0

    def order(self, i: Instruction) -> None:
        """Carry out a MOVE."""
        size = block_words(self._memories.config, i)
        self._ordered.extend((i.out_addr + n * size, i.n_k) for n in range(i.n_j))

    def take(self) -> int:
        """Return the column address of the next block, which is there from now on.

        AssertionError where none was ordered, or it lies beyond the memory outside.
        """
        config, column = self._memories.config, self._memories.col
        if not self._ordered:
            raise AssertionError(
                f"instruction {self._memories.instruction} wants a block that no move brings"
            )
        addr, words = self._ordered.popleft()
        block = self._outside[addr : addr + words * config.cols * config.width // 32]
        whole = block.reshape(words, config.cols, -1).astype("<u4")
        base = self._turn * config.block_depth
        column[:, base : base + words] = whole.transpose(1, 0, 2).copy().view(np.uint8)
        self._turn = (self._turn + 1) % HALVES
        return base

    def finish(self) -> None:
        """End the run; AssertionError where a block was ordered for nothing."""
        if self._ordered:
            raise AssertionError(f"{len(self._ordered)} blocks are ordered for nothing")
