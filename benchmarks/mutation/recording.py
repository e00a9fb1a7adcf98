"""What is played to the link: frames whole and damaged, silences, levels of the line."""

import random

from hw.arch import link
from hw.arch.link import Command, frame

DIVISOR = 5  #: Odd: a register that turns in every cycle is not back at the next bit.
INPUTS = {"uart_rx": 1, "tick": 1, "busy": 1, "done": 1, "cycles": 32, "peek_data": 18}


class Player:
    """What the link's inputs are in each cycle, one row a cycle."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.rows: list[int] = []
        self.state = {"busy": 0, "done": 0, "cycles": 0, "peek_data": 0}

    def cycle(self, line: int, tick: int = 0) -> None:
        """One cycle of a level."""
        self.state["peek_data"] = self.rng.getrandbits(18)
        values, word, at = {"uart_rx": line, "tick": tick, **self.state}, 0, 0
        for name, bits in INPUTS.items():
            word |= values[name] << at
            at += bits
        self.rows.append(word)

    def send(self, data: bytes, ticks: tuple[int, ...] = (), stop: int = 1) -> None:
        """Bytes, some of them with the line at rest after them; ``ticks``: cycles from here."""
        first = len(self.rows)
        for byte in data:
            for level in (0, *((byte >> b) & 1 for b in range(8)), stop):
                for _ in range(DIVISOR):
                    self.cycle(level, int(len(self.rows) - first in ticks))
            for _ in range(self.rng.choice([0, 0, 0, 1, 2, 7])):
                self.cycle(1)

    def rest(self, cycles: int, ticks: tuple[int, ...] = ()) -> None:
        """The line at rest, with a tick in some of its cycles."""
        for n in range(cycles):
            self.cycle(1, int(n in ticks))

    def settle(self, payload: int) -> None:
        """Rest until a reply of so many bytes has been sent."""
        self.rest(10 * DIVISOR * (payload + 8) + 40)


_ADDRESS = (3 << 20 | 77).to_bytes(4, "little")
_STATUS = frame(Command.STATUS, 2)


def requests(rng: random.Random) -> tuple[list[bytes], list[bytes]]:
    """Return frames that are granted and frames that are refused, of every kind."""
    good = [
        frame(Command.IDENTIFY, 1),
        _STATUS,
        frame(Command.WRITE, 200, _ADDRESS + bytes(rng.randrange(256) for _ in range(12))),
        frame(Command.WRITE_BYTES, 255, _ADDRESS + bytes(rng.randrange(256) for _ in range(7))),
        frame(Command.WRITE, 3, b"\xff\xff\xff\xff" + bytes(range(248))),
        frame(Command.READ, 4, _ADDRESS + b"\3"),
        frame(Command.START, 5),
        frame(Command.READ, 6, bytes(4) + bytes([link.MAX_WORDS])),
    ]
    bad = [
        frame(0, 7), frame(7, 8), frame(255, 8), frame(Command.START, 9, b"x"),
        frame(Command.WRITE, 10, _ADDRESS), frame(Command.WRITE, 11, _ADDRESS + b"abc"),
        frame(Command.READ, 12, _ADDRESS + b"\0"), frame(Command.READ, 12, _ADDRESS + b"\xff"),
        frame(Command.WRITE_BYTES, 13, _ADDRESS), frame(Command.IDENTIFY, 14, b"y"),
        frame(Command.WRITE, 15, _ADDRESS + bytes(251)),
    ]  # fmt: skip
    return good, bad


def recording(seed: int = 0) -> list[int]:
    """Return what the link's inputs are in each cycle of a recording of everything."""
    play = Player(seed)
    good, bad = requests(play.rng)
    _all_requests(play, good, bad)
    _damage(play)
    _silences(play, good[2])
    _lengths(play)
    _line(play)
    return play.rows


def _all_requests(play: Player, good: list[bytes], bad: list[bytes]) -> None:
    """Every request, to a core that rests and one that runs, some after noise."""
    rng = play.rng
    play.rest(50)
    for busy in (0, 1):
        for request in [*good, *bad]:
            play.state |= {"busy": busy, "done": rng.randrange(2), "cycles": rng.getrandbits(32)}
            play.send(bytes(rng.choice([b"", b"\x00", b"\xf0"])) + request)
            play.settle(260 if request is good[7] else 64)
    play.state["busy"] = 0


def single_bits() -> list[int]:
    """Return the damage of the two bytes of a CRC after which the register has one bit set each."""
    left = {link.crc16(error.to_bytes(2, "big")): error for error in range(1 << 16)}
    return [left[1 << bit] for bit in range(16)]


def _damage(play: Player) -> None:
    """Each bit of a CRC damaged, and each damage that only one bit of the register shows."""
    for error in [*(1 << bit for bit in range(16)), *single_bits()]:
        crc = int.from_bytes(_STATUS[-2:], "big") ^ error
        play.send(_STATUS[:-2] + crc.to_bytes(2, "big"))
        play.settle(8)


def _silences(play: Player, request: bytes) -> None:
    """Frames that stop; ones that go on after a tick, and in the cycles about the next tick."""
    for kept in range(1, len(request), 3):
        play.send(request[:kept])
        play.rest(60, ticks=(3, 43))
        play.settle(8)
        play.send(request[:kept])
        play.send(request[kept:], ticks=(21,))
        play.settle(8)
    for kept in (1, 2, 3, 9, len(request) - 2, len(request) - 1):
        for last in range(9 * DIVISOR, 11 * DIVISOR):  # where the byte is taken
            play.send(request[:kept])
            play.rest(9, ticks=(5,))
            play.send(request[kept : kept + 1], ticks=(last,))
            play.rest(2 * DIVISOR)
            play.send(request[kept + 1 :])
            play.settle(8)


def _lengths(play: Player) -> None:
    """Lengths and numbers of words of each bit alone."""
    for bit in range(8):
        n = 1 << bit
        play.send(frame(Command.WRITE_BYTES, 20 + bit, (_ADDRESS * 64)[:n]))
        play.settle(8)
        play.send(frame(Command.READ, 40 + bit, _ADDRESS + bytes([n])))
        play.settle(4 * n if n <= link.MAX_WORDS else 8)
        play.send(frame(Command.WRITE, 60 + bit, (_ADDRESS * 64)[:n]))
        play.settle(8)


def _line(play: Player) -> None:
    """Wrong stop bits, and lows too short for a start bit, of each length, before a request."""
    play.send(_STATUS, stop=0)
    play.rest(30 * DIVISOR)
    for low in range(1, DIVISOR):
        for _ in range(low):
            play.cycle(0)
        play.rest(DIVISOR)  # so soon that a byte begun there would swallow the request's first
        play.send(_STATUS)
        play.settle(8)
