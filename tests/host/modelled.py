"""A board that is a model of the endpoint, at a real serial port of this machine."""

import contextlib
import os
import threading
import time

from hw.arch import link
from sim.board.terminal import Terminal

ENDLESS = 1 << 30  #: ``polls`` of a virtual device whose runs do not end.


class Modelled:
    """A running board (`sim.board.running`) with a virtual device in place of RTL."""

    rests = True

    def __init__(self, device):
        self.device, self.baud = device, 0
        self.output, self._said = os.pipe()
        self._ticked = time.monotonic()

    def set_baud(self, baud):
        self.baud = baud

    def send(self, data):
        device, endpoint = self.device, self.device.endpoint
        while time.monotonic() - self._ticked > link.TICK_MS / 1e3:
            self._ticked += link.TICK_MS / 1e3
            endpoint.tick()
        rate = endpoint.baud
        endpoint.take(data if rate == self.baud else os.urandom(len(data)))
        while device.busy and device.left < ENDLESS // 2:
            device.run_on()
            endpoint.go_on()
        out = bytes(endpoint.out)
        endpoint.out.clear()
        self.say(out if rate == self.baud else os.urandom(len(out)))

    def say(self, data):
        os.write(self._said, data)

    def read(self):
        return os.read(self.output, 1 << 12)

    def close(self):
        os.close(self.output)
        os.close(self._said)


class Other(Modelled):
    """Another device: ``answer`` says what it makes of bytes."""

    def __init__(self, answer):
        super().__init__(None)
        self.answer = answer

    def send(self, data):
        self.say(self.answer(data))


class Plug:
    """A board that is plugged in, at ``port``, until it is pulled."""

    def __init__(self, board, **faults):
        self.board, self.terminal = board, Terminal(board, **faults)
        self.port = self.terminal.port
        self.thread = threading.Thread(target=self.terminal.serve, daemon=True)
        self.thread.start()

    def pull(self):
        if self.thread.is_alive():
            self.terminal.stop()
            self.thread.join(10)
            assert not self.thread.is_alive()
            self.terminal.close()
            self.board.close()


@contextlib.contextmanager
def plugged(board, **faults):
    """A port with the board at its other end."""
    plug = Plug(board, **faults)
    try:
        yield plug
    finally:
        plug.pull()
