"""What is played to the link: frames whole and damaged, ticks, levels of the line."""

import random

from benchmarks.mutation.played import CONFIG
from hw.arch import link
from hw.arch.link import Command
from hw.arch.memmap import LOG_DEPTH, READ_ONLY, Mem, extent, load_addr

DIVISOR = 5  #: Odd: a register that turns in every cycle is not back at the next bit.
INPUTS = {"uart_rx": 1, "tick": 1, "busy": 1, "done": 1, "stopped": 2, "pc": 16, "cycles": 32}
INPUTS |= {"peek_data": 32, "log_data": 32, "log_count": LOG_DEPTH.bit_length()}
_SOME = LOG_DEPTH // 2 - 1  # entries of the log


class Player:
    """What the link's inputs are in each cycle, one row a cycle."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.rows: list[int] = []
        self.state = dict.fromkeys(INPUTS, 0) | {"log_count": _SOME}
        self.due = 0  #: Sequence number that the device awaits, if all was granted.
        self.tag = 0

    def cycle(self, line: int, tick: int = 0) -> None:
        """One cycle of a level."""
        words = {name: self.rng.getrandbits(32) for name in ("peek_data", "log_data")}
        values, word, at = {**self.state, **words, "uart_rx": line, "tick": tick}, 0, 0
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

    def frame(self, code: int, payload: bytes = b"", sequence: int | None = None) -> bytes:
        """Return the next frame; with its own sequence number it is not the next one's."""
        self.tag = (self.tag + 37) & 0xFF
        if sequence is not None:
            return link.frame(code, sequence, self.tag, payload)
        self.due = (self.due + 1) & 0xFF
        return link.frame(code, (self.due - 1) & 0xFF, self.tag, payload)

    def refused(self, code: int, payload: bytes = b"") -> bytes:
        """Return a frame that is in order and is refused."""
        return self.frame(code, payload, self.due)

    def rest(self, cycles: int, ticks: tuple[int, ...] = ()) -> None:
        """The line at rest, with a tick in some of its cycles."""
        for n in range(cycles):
            self.cycle(1, int(n in ticks))

    def settle(self, payload: int) -> None:
        """Rest until a reply of so many bytes has been sent."""
        self.rest(10 * DIVISOR * (payload + payload // 8 + 14) + 40)

    def say(self, data: bytes, payload: int = 8) -> None:
        """Send a frame and rest until its reply, of so many bytes, has been sent."""
        self.send(data)
        self.settle(payload)


_PIX = load_addr(Mem.PIX, 77)
_ADDRESS = _PIX.to_bytes(link.ADDR_BYTES, "little")


def recording(seed: int = 0) -> list[int]:
    """Return what the link's inputs are in each cycle of a recording of everything."""
    play = Player(seed)
    everything(play)
    return play.rows


def everything(play: Player) -> None:
    """Play all of it."""
    play.rest(50)
    play.say(play.frame(Command.STATUS, b"", 3))  # no session yet
    play.say(play.frame(Command.ABORT, b"", 7), link.STATE_PAYLOAD)
    play.due = 200
    for session in (0xA5C3_0F81, 0xA5C3_0F81, 0x5A3C_F07E):
        play.say(play.frame(Command.IDENTIFY, link.SESSION.pack(session)), link.IDENTITY_PAYLOAD)
    _granted(play)
    _refused(play)
    _places(play)
    _damage(play)
    _running(play)
    _rates(play)
    _line(play)


def _granted(play: Player) -> None:
    """Every request that is granted."""
    rng = play.rng
    words = bytes(rng.randrange(256) for _ in range(4 * link.MAX_WORDS))
    special = bytes([link.END, link.ESCAPE, 0x5E, 0x5D])
    for n in range(3):
        play.state |= {"done": n & 1, "stopped": n, "pc": rng.getrandbits(16)}
        play.state |= {"cycles": rng.getrandbits(32)}
        play.say(play.frame(Command.STATUS), link.STATE_PAYLOAD)
        play.say(play.frame(Command.RESULT, link.READ_REQUEST.pack(_PIX, n)), 20)
    play.say(play.frame(Command.WRITE, bytes(4) + words))
    play.say(play.frame(Command.WRITE, _ADDRESS + special * 3))
    play.say(play.frame(Command.WRITE_BYTES, _ADDRESS + words[:7]))
    play.say(play.frame(Command.READ, link.READ_REQUEST.pack(_PIX, link.MAX_WORDS)), 252)
    play.say(play.frame(Command.RESULT, link.READ_REQUEST.pack(_PIX, link.RESULT_WORDS)), 252)
    play.say(play.frame(Command.LOG, link.READ_REQUEST.pack(0, _SOME)), 4 * _SOME)
    for count in (1, 5, 257):
        play.say(play.frame(Command.CRC, link.CRC_REQUEST.pack(_PIX, count)), 4 + 2 * count)
    for run, limit in ((1, 0), (0x5555, 0xFFFF_FFFF), (0xAAAA, 0x1234_5678), (0xAAAA, 1)):
        play.say(play.frame(Command.START, link.START_REQUEST.pack(run, limit)))
    play.send(b"".join(play.frame(Command.WRITE_BYTES, _ADDRESS + words[:40]) for _ in range(30)))
    play.settle(400)


def _refused(play: Player) -> None:
    """Requests of wrong lengths, orders and commands, of each bit."""
    for command, size in link.PAYLOADS.items():
        for bit in range(8):
            if size ^ 1 << bit <= link.MAX_PAYLOAD:
                play.say(play.refused(command, bytes(size ^ 1 << bit)))
    for size in (0, 1, 3, 4, 5, 6, 7, 9, 250, 251):
        play.say(play.refused(Command.WRITE, (_ADDRESS * 64)[:size]))
    for size in (0, 3, 4):
        play.say(play.refused(Command.WRITE_BYTES, (_ADDRESS * 64)[:size]))
    for bit in range(8):
        play.say(play.frame(Command.STATUS, b"", play.due ^ 1 << bit))
        play.say(play.refused(Command.STATUS ^ 1 << bit if bit > 3 else 12 + bit))
        count = 1 << bit
        for command in (Command.READ, Command.RESULT, Command.LOG):
            if count > link.WORDS[command][1]:
                play.say(play.refused(command, link.READ_REQUEST.pack(_PIX * 0, count)))
    for command in (Command.READ, Command.LOG):
        play.say(play.refused(command, link.READ_REQUEST.pack(0, 0)))
    play.say(play.refused(Command.CRC, link.CRC_REQUEST.pack(0, 0)))
    for first in (1, _SOME, *(1 << n for n in range(5, 32))):
        play.say(play.refused(Command.LOG, link.READ_REQUEST.pack(first, _SOME)))


def _places(play: Player) -> None:
    """Addresses on both sides of each limit."""
    for mem in Mem:
        banks, parts, depth = extent(CONFIG, mem)
        for word, bank, part in (
            (depth - 1, banks - 1, parts - 1), (depth - 2, 0, 0),
            *((0, bank, 0) for bank in (banks, 2 * banks, 64)),
            *((0, 0, part) for part in (parts, 2 * parts, 8)),
            *((1 << bit, 0, 0) for bit in range(16)),
        ):  # fmt: skip
            word, bank, part = word & 0xFFFF, bank & 127, part & 15
            data = load_addr(mem, word, bank, part).to_bytes(4, "little") + b"ab"
            there = word + 2 <= depth and bank < banks and part < parts
            inside = there and mem not in READ_ONLY
            play.say((play.frame if inside else play.refused)(Command.WRITE_BYTES, data))
    for mem in range(6, 8):
        play.say(play.refused(Command.READ, link.READ_REQUEST.pack(mem << 27, 1)))
    banks, _, depth = extent(CONFIG, Mem.RES)
    for word, bank in ((depth - 1, banks - 1), (depth - 1, banks), (depth, 0), (0, 0)):
        read = link.READ_REQUEST.pack(load_addr(Mem.RES, word, bank), 1)
        play.say(
            (play.frame if word < depth and bank < banks else play.refused)(Command.READ, read)
        )
    play.say(play.refused(Command.READ, link.READ_REQUEST.pack(load_addr(Mem.CTRL, 0), 1)))


def _damage(play: Player) -> None:
    """Each bit of a CRC damaged, frames too long and too short, and a queue that is full."""
    for bit in range(32):
        whole = link.frame(Command.STATUS, play.due, 2)
        body = whole[1:-1].replace(b"\x7d\x5e", b"\x7e").replace(b"\x7d\x5d", b"\x7d")
        crc = int.from_bytes(body[-4:], "little") ^ 1 << bit
        data = body[:-4] + crc.to_bytes(4, "little")
        for byte in (link.ESCAPE, link.END):
            data = data.replace(bytes([byte]), bytes([link.ESCAPE, byte ^ link.STUFFING]))
        play.say(b"\x7e" + data + b"\x7e")
    play.say(link.frame(Command.STATUS, play.due, 2)[:-1] + bytes([link.ESCAPE, link.END]))
    play.say(link.frame(Command.WRITE_BYTES, play.due, 2, _ADDRESS + bytes(249)))
    play.say(b"\x7e\x01\x7e\x01\x02\x03\x7e" + bytes([link.ESCAPE, link.END]), 40)
    play.send(b"\x7e" + b"\x01\x7e" * 20)
    play.settle(300)


def _running(play: Player) -> None:
    """A core that runs: what is refused, what waits, what ends the waiting."""
    play.state |= {"busy": 1, "done": 0}
    for command in (Command.WRITE, Command.WRITE_BYTES):
        play.say(play.refused(command, _ADDRESS + bytes(4)))
    play.say(play.refused(Command.READ, link.READ_REQUEST.pack(_PIX, 1)))
    play.say(play.refused(Command.CRC, link.CRC_REQUEST.pack(_PIX, 1)))
    play.say(play.refused(Command.LOG, link.READ_REQUEST.pack(0, 1)))
    play.say(play.refused(Command.START, link.START_REQUEST.pack(9, 9)))
    result = link.READ_REQUEST.pack(_PIX, 2)
    for urgent in (Command.STATUS, Command.IDENTIFY, Command.ABORT):
        play.send(play.frame(Command.RESULT, result))
        play.rest(300)
        play.send(play.frame(urgent, bytes(4) if urgent == Command.IDENTIFY else b""))
        play.rest(300)
        play.state |= {"busy": int(urgent != Command.ABORT)}
        play.settle(link.IDENTITY_PAYLOAD + 40)
    play.state |= {"busy": 1}
    play.send(play.frame(Command.RESULT, result))
    play.send(b"".join(play.frame(Command.WRITE_BYTES, _ADDRESS + bytes(200)) for _ in range(12)))
    play.state |= {"busy": 0, "done": 1}
    play.settle(200)
    play.say(play.frame(Command.IDENTIFY, bytes(4)), link.IDENTITY_PAYLOAD)


def _rates(play: Player) -> None:
    """Rates that there are and are not; the way back after ticks without a good frame."""
    ticks = tuple(range(10, 10 + 20 * link.FALLBACK_TICKS, 20))
    for bit in range(2, 8):
        play.say(play.refused(Command.RATE, bytes([1 << bit])))
    play.say(play.refused(Command.RATE, bytes([len(link.RATES)])))
    for index in (1, 2, 1):
        play.say(play.frame(Command.RATE, bytes([index])))
        play.rest(200, ticks[:-1])
        play.say(play.frame(Command.STATUS), link.STATE_PAYLOAD)
        play.rest(400, ticks)
        play.send(b"\x01")
        play.rest(400, ticks)
        play.say(play.frame(Command.RATE, bytes([index])))
        play.rest(400, ticks)


def _line(play: Player) -> None:
    """Wrong stop bits, and lows too short for a start bit, of each length, before a request."""
    play.send(link.frame(Command.STATUS, play.due, 2), stop=0)
    play.rest(30 * DIVISOR)
    for low in range(1, DIVISOR):
        for _ in range(low):
            play.cycle(0)
        play.rest(DIVISOR)  # so soon that a byte begun there would swallow the request's first
        play.say(play.frame(Command.STATUS), link.STATE_PAYLOAD)
