"""A model of the device's side of the link, as a byte transport, with faults to order."""

import dataclasses

import numpy as np

from hw.arch import Config, link
from hw.arch.link import Command, Reason
from hw.arch.memmap import Mem, load_addr
from sim.interpreter import Machine
from sw.compiler.program import VERSION, Forecast, Program

CLOCK = 50_000_000


class VirtualDevice:
    """Answers frames as the endpoint does; memories are one dictionary by load address.

    ``answer`` turns the memory into new pixel words when the core is started; the core is then
    busy for ``polls`` STATUS requests. ``on_request`` and ``on_reply`` may change a frame's bytes;
    they get the frame and its number.
    """

    def __init__(
        self,
        config=None,
        *,
        answer=lambda memory: {},
        polls=2,
        on_request=lambda frame, n: frame,
        on_reply=lambda frame, n: frame,
    ):
        self.config, self.answer, self.polls = config or Config(), answer, polls
        self.on_request, self.on_reply = on_request, on_reply
        self.memory: dict[int, int] = {}
        self.commands: list[int] = []  # of undamaged requests
        self.n_requests = self.n_replies = self.starts = 0
        self.left = 0
        self.cycles = 1234  #: Of a run.
        self.pending = b""

    def write(self, data):
        data = self.on_request(bytes(data), self.n_requests)
        self.n_requests += 1
        while (start := data.find(link.SYNC)) >= 0:
            data = data[start + 1 :]
            code, tag, length = (*data[:3], 0, 0, 0)[:3]
            body, data = data[: 3 + length + 2], data[3 + length + 2 :]
            if len(body) < 3 + length + 2:
                reply = link.NAK, bytes([Reason.TIMEOUT])
            elif link.crc16(body):
                reply = link.NAK, bytes([Reason.CRC])
            else:
                reply = self.do(code, body[3:-2])
            frame = link.frame(reply[0], tag, reply[1])
            self.pending += self.on_reply(frame, self.n_replies)
            self.n_replies += 1

    def read(self, size):
        out, self.pending = self.pending[:size], self.pending[size:]
        return out

    def do(self, code, payload):
        self.commands.append(code)
        addr = int.from_bytes(payload[:4], "little")
        base, word = addr & ~0xFFFF, addr & 0xFFFF
        if self.left and code not in (Command.STATUS, Command.IDENTIFY):
            return link.NAK, bytes([Reason.BUSY])
        if code == Command.IDENTIFY:
            out = link.Identity(
                version=link.VERSION, digest=self.config.digest, clock=CLOCK, config=self.config
            ).encode()
        elif code == Command.WRITE:
            for k, v in enumerate(np.frombuffer(payload[4:], "<u4").tolist()):
                self.memory[base + (word + k) % 65536] = v
            out = b""
        elif code == Command.WRITE_BYTES:
            for k, v in enumerate(payload[4:]):
                self.memory[base + (word + k) % 65536] = v
            out = b""
        elif code == Command.START:
            self.starts += 1
            self.left = self.polls
            self.memory.update(self.answer(self.memory))
            out = b""
        elif code == Command.STATUS:
            busy = self.left > 0
            self.left = max(0, self.left - 1)
            out = link.STATUS_REPLY.pack(1 if busy else 2, self.cycles - self.left)
        elif code == Command.READ:
            count = payload[4]
            out = b"".join(
                self.memory.get(addr + k, 0).to_bytes(4, "little", signed=True)
                for k in range(count)
            )
        else:
            return link.NAK, bytes([Reason.UNKNOWN])
        return link.REPLY | code, out


class Core(VirtualDevice):
    """A device that does what the program in its memories says, by the interpreter.

    ``shape`` is a program whose addresses are taken; what is run is what the memories hold.
    """

    def __init__(self, shape, **options):
        super().__init__(shape.config, answer=self.compute, **options)
        self.shape = shape
        self.machine = None

    def flip(self, word, bit):
        """Change one bit of program memory."""
        self.memory[load_addr(Mem.PROG, word)] ^= 1 << bit
        self.machine = None

    def do(self, code, payload):
        writes = code in (Command.WRITE, Command.WRITE_BYTES)
        image = Mem[self.shape.image_memory.upper()]
        if writes and int.from_bytes(payload[:4], "little") >> 27 != image:
            self.machine = None
        return super().do(code, payload)

    def compute(self, memory):
        p = self.shape
        if self.machine is None:
            words = [memory[load_addr(Mem.PROG, a)] for a in range(len(p.words))]
            columns = p.columns.copy()
            for (bank, addr, part), _ in np.ndenumerate(columns):
                at = addr | part << 16 | bank << 20 | int(Mem.COL) << 27
                columns[bank, addr, part] = memory[at]
            held = dataclasses.replace(p, words=np.array(words, np.uint32), columns=columns)
            self.machine = Machine(held)
        stream = p.image_stream(np.zeros(p.input_count))  # whose addresses are the image's
        self.machine.load(np.array([(a, memory[a]) for a in stream[:, 0].tolist()]))
        run = self.machine.run(events=False)
        self.cycles = run.cycles
        return {load_addr(Mem.PIX, p.logits_base + k): v for k, v in enumerate(run.logits.tolist())}


CONFIG = Config(rows=8, cols=16, width=64)


LOGITS = [5, -7, 131071, -131072, 0, 1, 2, 3, 4, 9]


def program(config=CONFIG, **changes):
    rng = np.random.default_rng(0)
    fields = {
        "name": "small",
        "config": config,
        "digest": config.digest,
        "version": VERSION,
        "words": rng.integers(0, 1 << 32, 150, np.uint32),
        "columns": rng.integers(0, 1 << 32, (config.cols, 70, config.width // 32), np.uint32),
        "steps": 4,
        "input_shape": (1, 16, 16),
        "image_memory": "pix",
        "image_base": 100,
        "logits_base": 40,
        "classes": len(LOGITS),
        "logits_scale": 0.5,
        "labels": (),
        "regions": (),
        "ops": (),
        "forecast": (Forecast(layer="all", op="GEMM", cycles=1234),),
    }
    return Program(**{**fields, **changes})


def logits(memory):
    return {load_addr(Mem.PIX, 40 + k): v for k, v in enumerate(LOGITS)}


def image():
    return np.random.default_rng(1).integers(0, 256, (1, 16, 16)).astype(np.uint8)
