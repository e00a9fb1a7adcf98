"""Memory outside the chip: how it is addressed, and what simulation makes of it."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

WORD_BITS = 32  #: Of a word outside.
ADDRESS_BITS = 27  #: Of a word's address.
COUNT_BITS = 20  #: Of how many words a request moves.


@dataclass(frozen=True, kw_only=True)
class Contract:
    """When the words of a request come, in cycles of the core: what a simulated memory keeps to.

    Word k of a request that was taken in cycle c is there in cycle c + latency + k * period, or
    in the cycle after the one before it was taken, whichever is later.
    """

    latency: int = 40  #: Cycles to the first word, 1 or more.
    period: int = 2  #: Cycles from word to word, 1 or more.


CONTRACT = Contract()  #: Of a program that says nothing else.
MEGAWORD = 1 << 20  #: Words that `Config.outside` counts.
HALVES = 2  #: Blocks that column memory has room for.
PATIENCE = 1 << 16  #: Cycles without a word, after which none is waited for any longer.


@dataclass
class _Order:
    """A move that the mover has taken and not carried out."""

    taken: int  #: Cycle in which it was.
    words: int  #: Outside words of a block.
    left: int  #: Blocks to come.


class Transfers:
    """What the mover does in a run, cycle by cycle, with a memory that keeps to a contract.

    Times are cycles of the run. They are asked for in the order of the program: what is asked about
    a block depends on nothing that happens after the block's column tile could begin.

    Parameters
    ----------
    contract : Contract
    free : cycles from the end of a column tile until its half takes another block
    """

    def __init__(self, contract: Contract, free: int):
        self.contract, self._free = contract, free
        self._orders = deque([_Order(taken=0, words=0, left=0)])  # in hand, and one that waits
        self._freed: list[int] = []  # of each column tile, when its half is free
        self._blocks = 0  # that have come
        self._next = 0  # first cycle in which the mover could ask for the next block
        self._open = 0  # first cycle in which it could take an order
        self._busy: list[int] = []  # cycles in which the core writes column memory, ascending

    def order(self, cycle: int, words: int, blocks: int) -> int:
        """Return the cycle, from this one on, in which a move of blocks of so many words is taken.

        Outside words; all banks of a block together. AssertionError where it never would be, as
        column tiles that come later in the program would have to take blocks before.
        """
        self._proceed()
        assert len(self._orders) == 1, "a move waits for column tiles that come after it"
        cycle = max(cycle, self._open)
        self._orders.append(_Order(cycle, words, blocks))
        return cycle

    def block(self) -> int:
        """Return the first cycle in which a column tile that wants the next block could begin."""
        self._proceed()
        order = self._orders[0]
        assert order.left, "a column tile wants a block that no move brings"
        asks = self._next
        if self._blocks >= HALVES:
            asks = max(asks, self._freed[self._blocks - HALVES])
        order.left -= 1
        self._blocks += 1
        self._next = self._last(asks, order.words) + 1
        return self._next

    def _proceed(self) -> None:
        """Turn to the order that waits, if the one in hand is carried out."""
        if len(self._orders) > 1 and not self._orders[0].left:
            self._orders.popleft()
            looks = max(self._orders[0].taken + 1, self._next)
            self._next = self._open = looks + 1

    def end(self, cycle: int) -> None:
        """Note that a column tile that had a block has issued its last word in this cycle."""
        self._freed.append(cycle + self._free)

    def busy(self, cycles: Iterable[int]) -> None:
        """Note cycles in which the core's own writes to column memory come before the mover's."""
        found = sorted(cycles)
        if found and self._busy and found[0] <= self._busy[-1]:
            found = sorted({*self._busy, *found})
            self._busy = found
        else:
            self._busy += found

    def _last(self, asks: int, words: int) -> int:
        """Cycle in which the last word of a block that was asked for then goes to memory."""
        first, period = asks + self.contract.latency, self.contract.period
        last = first + (words - 1) * period + 1
        begin = bisect_left(self._busy, first + 1)
        del self._busy[:begin]  # whatever comes next comes later
        if not self._busy or self._busy[0] > last:
            return last
        busy, at = set(self._busy), first
        for word in range(words):
            at = max(first + word * period, at) + 1
            while at in busy:
                at += 1
        return at
