"""A quad SPI flash for Amaranth's simulator: what data sheets say, and nothing of the gateware."""

import random
from dataclasses import dataclass, field

WAKE, RESET, DESELECTED = 30_000, 35_000, 50  #: Nanoseconds that a chip takes, or wants.
KINDS = ("winbond", "issi", "spansion", "micron")


@dataclass
class NorChip:
    """One chip; `play` moves it by what is at its pins in each cycle of the core.

    Parameters
    ----------
    data : bytes from address 0 on, which repeat.
    clock : of the core, in Hz.
    kind : one of KINDS, which have the quad-enable bit in different places, or none.
    quad : the bit is set for good.
    late : cycles of the core from a falling edge until a word is at the pins; noise before.
    dummy : clocks of the read command 6B.
    down, continuous : what the chip is in at first: power-down, a continuous read.
    lost : clocks of the first that do not reach it.
    """

    data: bytes
    clock: int
    kind: str = "micron"
    quad: bool = False
    late: int = 0
    dummy: int = 8
    down: bool = False
    continuous: bool = False
    lost: int = 0
    broken: set[str] = field(default_factory=set)
    codes: list[tuple[int, ...]] = field(default_factory=list)  #: Commands, but those that read.
    reads: list[int] = field(default_factory=list)  #: Addresses of commands that read.
    served: int = 0  #: Bytes that were clocked out.

    def __post_init__(self):
        self.noise = random.Random(1)
        self.volatile = self.armed = False
        self.was = (0, 0)  # clk, cs
        self.cycle = self.free = 0
        self.since = -(1 << 30)  # cycle in which it was last not selected any more
        self.begin()

    def begin(self):
        self.bits = self.clocks = self.address = 0
        self.driven, self.pending = None, []
        self.resumed = self.continuous  # it begins with an address on four lanes
        self.opcode = 0xEB if self.resumed else None

    @property
    def enabled(self):
        return self.kind == "micron" or self.quad or self.volatile

    def cycles(self, nanoseconds):
        return -(-nanoseconds * self.clock // 10**9)

    def rule(self, name, good):
        if not good:
            self.broken.add(name)

    def step(self, clk, cs, o, oe):
        """Go through a cycle of the core; return what is at the data pins in its end."""
        clk_was, cs_was = self.was
        self.was = clk, cs
        self.cycle += 1
        if cs and not cs_was:
            self.rule("selected too soon", self.cycle - self.since >= self.cycles(DESELECTED))
            self.rule("selected while it wakes", self.cycle >= self.free)
            self.rule("clock moves with select", not clk and not clk_was)
            self.begin()
        if cs_was and not cs:
            self.rule("clock rises with select", not clk)
            self.since = self.cycle
            self.end()
            self.driven, self.pending = None, []
        if cs and clk and not clk_was:
            if self.lost:
                self.lost -= 1
            else:
                self.rise(o, oe)
        if cs and clk_was and not clk:
            self.fall()
        return self.level(cs, o, oe)

    def level(self, cs, o, oe):
        if self.pending:
            when, value = self.pending[0]
            self.driven = self.noise.getrandbits(4) if self.cycle < when else value
            if self.cycle >= when:
                self.pending = []
        driven, floating = 0, self.noise.getrandbits(4)
        if cs and self.driven is not None:
            driven = 15
            self.rule("two drive", not oe)
        return o & oe | (self.driven or 0) & driven & ~oe | floating & ~oe & ~driven

    def rise(self, o, oe):
        if self.opcode is None:
            self.rule("nobody drives", oe & 1)
            self.rule("held", oe & 12 == 12 and o & 12 == 12)
            self.bits = self.bits << 1 | o & 1
            self.clocks += 1
            if self.clocks == 8:
                self.opcode, self.clocks = self.bits, 0
                self.bits = 0
            return
        self.clocks += 1
        if self.opcode == 0x6B and self.clocks <= 24 and not self.down:
            self.rule("nobody drives", oe & 1)
            self.rule("held", self.enabled or (oe & 12 == 12 and o & 12 == 12))
            self.bits = self.bits << 1 | o & 1
            self.address = self.bits
            if self.clocks == 24:
                self.reads.append(self.address)
        elif self.resumed:
            if self.clocks == 7:
                self.continuous = o & 3 == 2  # M5 and M4
            self.rule("two drive", self.clocks < 12)
        else:
            self.bits = self.bits << 1 | o & 1

    def fall(self):
        if self.opcode == 0x6B and self.enabled and not self.down:
            at = self.clocks - 24 - self.dummy
            if at >= 0:
                byte = self.data[(self.address + at // 2) % len(self.data)]
                self.served += at % 2
                self.pending = [(self.cycle + self.late, byte >> 4 if at % 2 == 0 else byte & 15)]

    def end(self):
        if self.resumed or self.opcode in (None, 0x6B):
            return
        size = self.clocks // 8
        self.rule("part of a byte", self.clocks % 8 == 0)
        code = (self.opcode, *self.bits.to_bytes(size)) if size else (self.opcode,)
        self.codes.append(code)
        if self.down and code[0] != 0xAB:
            return
        known = {0xFF, 0xAB, 0x66, 0x99, 0x50, 0x01, 0x31}
        self.rule("unknown command", code[0] in known)
        if code[0] == 0xAB:
            self.down = False
            self.free = self.cycle + self.cycles(WAKE)
        if code[0] == 0x99 and self.armed == 0x66:
            self.volatile = False
            self.free = self.cycle + self.cycles(RESET)
        if self.armed == 0x50:
            self.volatile |= (self.kind, code) in (("issi", (1, 0x40)), ("winbond", (0x31, 2)))
        self.armed = code[0]

    def play(self, pins, over):
        """Return a process of the simulator: this chip at ``pins``, until something is ``over``."""

        async def process(ctx):
            while not over:
                values = [int(ctx.get(s)) for s in (pins.clk, pins.cs, pins.o, pins.oe)]
                ctx.set(pins.i, self.step(*values))
                await ctx.tick()

        return process
