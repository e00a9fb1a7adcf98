"""What brings an SDRAM up: a few writes on the control bus of its controller."""

import enum
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.outside.chip import BURST, CAS_LATENCY, Chip


class Register(enum.IntEnum):
    """Byte addresses of the controller's registers; LiteDRAM writes them down as csr.csv."""

    DDRCTRL_INIT_DONE = 0x0
    SDRAM_DFII_CONTROL = 0x800
    SDRAM_DFII_PI0_COMMAND = 0x804
    SDRAM_DFII_PI0_COMMAND_ISSUE = 0x808
    SDRAM_DFII_PI0_ADDRESS = 0x80C


class Control(enum.IntFlag):
    """Bits of SDRAM_DFII_CONTROL."""

    SEL = 1  #: The controller has the pins; else SDRAM_DFII_PI0_COMMAND has.
    CKE = 2


class Command(enum.IntFlag):
    """Bits of SDRAM_DFII_PI0_COMMAND: the pins that are low while it is issued."""

    CS = 1
    WE = 2
    CAS = 4
    RAS = 8


PRECHARGE = Command.CS | Command.RAS | Command.WE
REFRESH = Command.CS | Command.RAS | Command.CAS
LOAD_MODE = Command.CS | Command.RAS | Command.CAS | Command.WE
ALL_BANKS = 1 << 10  #: A10 of a precharge.
#: The mode register: words in a row, one a command, of writes too.
MODE = CAS_LATENCY << 4 | BURST.bit_length() - 1


@dataclass(frozen=True)
class Step:
    """A write, and cycles to wait after it."""

    register: Register
    value: int
    wait: int = 0


def steps(chip: Chip, clock: int) -> list[Step]:
    """Return the writes that bring ``chip`` up at ``clock`` Hz, in order.

    As the data sheets have it: clock and CKE for a while, all banks precharged, as many commands to
    refresh as the slowest to wake want, the mode. LiteDRAM's own list sets bit 8 of the mode too
    (a DLL's reset, which these chips have not) and refreshes twice; this one does neither.
    """
    rfc = chip.cycles(chip.rfc, clock)
    address, command = Register.SDRAM_DFII_PI0_ADDRESS, Register.SDRAM_DFII_PI0_COMMAND
    issue = Register.SDRAM_DFII_PI0_COMMAND_ISSUE
    return [
        Step(Register.SDRAM_DFII_CONTROL, Control.CKE, chip.cycles(chip.power_up, clock)),
        Step(address, ALL_BANKS),
        Step(command, PRECHARGE),
        Step(issue, 1, chip.cycles(chip.rp, clock)),
        Step(command, REFRESH),
        *[Step(issue, 1, rfc)] * chip.refreshes,
        Step(address, MODE),
        Step(command, LOAD_MODE),
        Step(issue, 1, rfc),
        Step(Register.SDRAM_DFII_CONTROL, Control.SEL),
        Step(Register.DDRCTRL_INIT_DONE, 1),
    ]


class ControlBus(wiring.Signature):
    """The control bus: Wishbone, of which only writes of whole words are used.

    Members
    -------
    adr, dat_w : Out(30), Out(32), a register's byte address / 4 and what is written.
    stb : Out(1), a write is wanted (STB, CYC and WE); stays until ``ack``.
    ack : In(1), it is done.
    """

    def __init__(self):
        super().__init__({"adr": Out(30), "dat_w": Out(32), "stb": Out(1), "ack": In(1)})


class Setup(wiring.Component):
    """Plays `steps` after reset; once.

    Latency: the waits of the steps, and some cycles each; 200 us in all.

    Parameters
    ----------
    chip, clock : as `steps` has them.

    Members
    -------
    bus : Out(ControlBus).
    done : Out(1), the SDRAM can be used; stays.
    """

    bus: Any
    done: Signal

    def __init__(self, chip: Chip, clock: int):
        self.steps = steps(chip, clock)
        super().__init__({"bus": Out(ControlBus()), "done": Out(1)})

    def elaborate(self, platform):
        m, bus = Module(), self.bus
        step, most = Signal(range(len(self.steps))), max(s.wait for s in self.steps)
        left = Signal(range(most + 1))
        m.d.comb += [
            bus.adr.eq(Array(s.register >> 2 for s in self.steps)[step]),
            bus.dat_w.eq(Array(int(s.value) for s in self.steps)[step]),
        ]
        with m.FSM():
            with m.State("write"):
                m.d.comb += bus.stb.eq(1)
                m.d.sync += left.eq(Array(s.wait for s in self.steps)[step])
                with m.If(bus.ack):
                    m.next = "wait"
            with m.State("wait"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += step.eq(step + 1)
                    m.next = "write"
                    with m.If(step == len(self.steps) - 1):
                        m.next = "done"
            with m.State("done"):
                m.d.comb += self.done.eq(1)
        return m
