"""How often bytes of a line are broken, reckoned from which frames get through."""

import math

from hw.arch import link

OVERHEAD = 2 + link.HEAD.size + link.ADDR_BYTES + link.CRC_BYTES  #: Bytes beside a frame's words.
LEAST, MOST = 16, link.MAX_BYTES  #: Bytes of words in a frame.
MEMORY = 0.95  #: How much of what was known counts after one more frame.
FIRST = 1e-3  #: What is taken for the rate before anything is known, broken bytes of all.


class FaultRate:
    """Broken bytes of all bytes, the latest frames counting most.

    The frame that moves most words in a second, if bytes break at rate p and a frame has h bytes
    beside its words, has sqrt(h / p) bytes of words.
    """

    def __init__(self) -> None:
        self._lost, self._bytes = 0.5, 0.5 / FIRST

    def sent(self, size: int, *, lost: bool) -> None:
        """Take in what became of a frame with ``size`` bytes of payload."""
        self._lost = MEMORY * self._lost + lost
        self._bytes = MEMORY * self._bytes + OVERHEAD + size

    @property
    def rate(self) -> float:
        """Broken bytes of all bytes."""
        return self._lost / self._bytes

    @property
    def payload(self) -> int:
        """Bytes of words that a frame should have: a multiple of 4, LEAST to MOST."""
        best = math.sqrt(OVERHEAD / max(self.rate, 1e-9))
        return int(min(max(best, LEAST), MOST)) // 4 * 4

    @property
    def window(self) -> int:
        """Bytes that should be on their way: what is behind a lost frame is sent again."""
        return max(4 * (OVERHEAD + self.payload), int(1 / max(self.rate, 1e-9)))
