"""Memory outside the chip: how it is addressed, and what simulation makes of it."""

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
