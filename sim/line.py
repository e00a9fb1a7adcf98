"""A line between a host and an endpoint, with faults."""

import random
from typing import Any

from hw.arch import link
from sim.endpoint import Endpoint

KINDS = ("bit", "byte", "lost", "inserted", "doubled")  #: What a fault makes of a byte.


class Faults:
    """Changes bytes at random.

    Parameters
    ----------
    rate : float
        Share of the bytes that a fault befalls: a bit is turned, it is another byte, it is lost,
        one stands before it that was not sent, or it comes twice. Each is as likely.
    seed : int
    """

    def __init__(self, rate: float, seed: int):
        self.rate, self.rng = rate, random.Random(seed)
        self.bytes = self.count = 0  #: That came by, and of which there was a fault.
        self._next = self._gap()

    def _gap(self) -> int:
        """Bytes before the next fault."""
        return int(self.rng.expovariate(self.rate)) if self.rate else 1 << 62

    def __call__(self, data: bytes) -> bytes:
        """Return what becomes of ``data``."""
        out, at, rng = bytearray(), 0, self.rng
        while self._next < len(data) - at:
            out += data[at : at + self._next]
            at += self._next
            byte, kind = data[at], rng.choice(KINDS)
            at += 1
            self.count += 1
            self._next = self._gap()
            if kind == "bit":
                out.append(byte ^ 1 << rng.randrange(8))
            elif kind == "byte":
                out.append(rng.randrange(256))
            elif kind == "inserted":
                out += bytes([rng.randrange(256), byte])
            elif kind == "doubled":
                out += bytes([byte, byte])
        self._next -= len(data) - at
        self.bytes += len(data)
        return bytes(out + data[at:])


class Line:
    """A transport (`sw.host.exchange.Transport`) to an endpoint; its time passes in silences.

    Bytes that are sent at another rate than the receiver's are noise to it.

    Parameters
    ----------
    endpoint : Endpoint
    there, back : callable
        What becomes of bytes to the endpoint and from it.
    """

    def __init__(self, endpoint: Endpoint, there: Any = bytes, back: Any = bytes):
        self.endpoint, self.there, self.back = endpoint, there, back
        self.baud = link.BAUD  #: The host's rate.
        self.silences = 0
        self._coming = b""
        self._rng = random.Random(0)
        self._late = 0.0  # seconds since the endpoint's last tick

    def set_baud(self, baud: int) -> None:
        """Send and listen at this rate from now on."""
        self.baud = baud

    def write(self, data: bytes) -> None:
        """Send bytes to the endpoint."""
        rate = self.endpoint.baud
        self.endpoint.take(self._noise(data) if rate != self.baud else self.there(data))
        self._answer(rate)

    def read(self, wait: float) -> bytes:
        """Return what the endpoint answered; time passes where that is nothing."""
        if not self._coming and self.endpoint.core.busy:
            self.endpoint.core.run_on()
            self.endpoint.go_on()
            self._answer(self.endpoint.baud)
        if self._coming:
            data, self._coming = self._coming, b""
            return data
        self.silences += 1
        self._late += wait
        while self._late >= link.TICK_MS / 1e3:
            self._late -= link.TICK_MS / 1e3
            self.endpoint.tick()
        return b""

    def _answer(self, rate: int) -> None:
        """What the endpoint answered comes back, at this rate."""
        data = bytes(self.endpoint.out)
        self.endpoint.out.clear()
        self._coming += self._noise(data) if rate != self.baud else self.back(data)

    def _noise(self, data: bytes) -> bytes:
        return self._rng.randbytes(len(data))
