"""The memory outside the chip that is an SDR SDRAM: LiteDRAM's controller with gateware around."""

from typing import Any

from amaranth.hdl import ClockSignal, Const, DomainRenamer, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from hw.arch.outside import WORD_BITS
from hw.core.outside import OutsidePort
from hw.outside.chip import ULX3S, Chip
from hw.outside.crossing import Crossing
from hw.outside.litedram import NAME
from hw.outside.native import Native
from hw.outside.setup import Setup

DOMAIN = "sdram"  #: Clock domain of the controller.


class Pins(wiring.Signature):
    """An SDRAM's pins but its clock, all active high; each is a register's output or input.

    Registers hold the level of the pin, so that each can lie in the pin's cell: where a board's pin
    or the enable of a buffer is active low, the second inverter takes the first one away.

    Members
    -------
    cke, cs, ras, cas, we : Out(1).
    ba, a, dqm : Out.
    dq_o, dq_oe : Out, data and, for each of its pins, that we drive it.
    dq_i : In, what is at the data pins.
    """

    def __init__(self, chip: Chip):
        self.chip = chip
        width = chip.width
        names = ("cke", "cs", "ras", "cas", "we")
        super().__init__(
            {
                **dict.fromkeys(names, Out(1)),
                "ba": Out(chip.banks.bit_length() - 1),
                "a": Out(chip.rows.bit_length() - 1),
                "dqm": Out(width // 8),
                "dq_o": Out(width),
                "dq_oe": Out(width),
                "dq_i": In(width),
            }
        )


class Sdram(wiring.Component):
    """An SDRAM behind the core's port: set up after reset, refreshed, its words in order.

    The core's side is in domain ``sync``, the SDRAM's in domain ``sdram`` (``clock`` Hz), which may
    be the same clock; they are reset together. The clock pin of the SDRAM is the board top's: that
    of domain ``sdram``, later by a quarter of its cycle, or more where the rest still holds the
    SDRAM's access time. Requests wait until the SDRAM is set up, some 0.2 ms after reset. A dropped
    write may have written any part of its words.

    Latency: some 16 cycles of ``sdram`` and 4 of ``sync`` from a request to its first word, more
    where a row is opened or refreshed. Throughput: of ``chip.width`` bits, 0.9 a cycle of ``sdram``
    or more while requests are long.

    Parameters
    ----------
    chip : the SDRAM.
    clock : frequency of domain ``sdram``, in Hz, as `hw.outside.litedram.generate` has it; what
        that makes is the module of the instance in here.

    Members
    -------
    port : In(OutsidePort), the core's; words beyond ``words`` are those from 0 on again.
    pins : Out(Pins).

    SpikeloomError where ``clock`` is too fast for the SDRAM.
    """

    port: Any
    pins: Any

    def __init__(self, chip: Chip = ULX3S, *, clock: int):
        chip.cycles(chip.cycle, clock)  # refuses a clock that is too fast
        self.chip, self.clock = chip, clock
        super().__init__({"port": In(OutsidePort()), "pins": Out(Pins(chip))})

    @property
    def words(self) -> int:
        """Words of the core that the SDRAM holds."""
        return (self.chip.width << self.chip.address_bits) // WORD_BITS

    def elaborate(self, platform):
        m, renamed, chip = Module(), DomainRenamer(DOMAIN), self.chip
        setup, native = Setup(chip, self.clock), Native(chip.address_bits, chip.width)
        m.submodules.setup, m.submodules.native = renamed(setup), renamed(native)
        m.submodules.crossing = crossing = Crossing(DOMAIN)
        connect(m, wiring.flipped(self.port), crossing.port)
        connect(m, crossing.memory, native.memory)
        m.d.comb += native.enable.eq(setup.done)
        m.submodules.controller = self._controller(m, setup.bus, native.port)
        return m

    def _controller(self, m, bus, port):
        """Return the generated controller, wired to the rest and to the pins."""
        pins = self.pins
        names = ("cs", "ras", "cas", "we")
        low = {name: Signal(name=f"{name}_n") for name in names}
        m.d.comb += [getattr(pins, name).eq(~wire) for name, wire in low.items()]
        floating = Signal(self.chip.width)
        m.d.comb += pins.dq_oe.eq(~floating)
        control = {
            "i_wb_ctrl_adr": bus.adr,
            "i_wb_ctrl_dat_w": bus.dat_w,
            "i_wb_ctrl_sel": Const(0xF, 4),
            "i_wb_ctrl_cyc": bus.stb,
            "i_wb_ctrl_stb": bus.stb,
            "i_wb_ctrl_we": bus.stb,
            "i_wb_ctrl_cti": Const(0, 3),
            "i_wb_ctrl_bte": Const(0, 2),
            "o_wb_ctrl_ack": bus.ack,
        }
        user = {
            "i_{}cmd_valid": port.cmd_valid,
            "o_{}cmd_ready": port.cmd_ready,
            "i_{}cmd_we": port.cmd_we,
            "i_{}cmd_addr": port.cmd_addr,
            "i_{}wdata_data": port.wdata,
            "i_{}wdata_valid": port.wdata_valid,
            "i_{}wdata_we": Const(-1, self.chip.width // 8),
            "o_{}wdata_ready": port.wdata_ready,
            "o_{}rdata_data": port.rdata,
            "o_{}rdata_valid": port.rdata_valid,
            "i_{}rdata_ready": Const(1),
        }
        return Instance(
            NAME,
            i_clk=ClockSignal(DOMAIN),
            i_rst=ResetSignal(DOMAIN),
            **control,
            **{name.format("user_port_native_0_"): value for name, value in user.items()},
            **{f"o_sdram_{name}_n": wire for name, wire in low.items()},
            o_sdram_cke=pins.cke,
            o_sdram_ba=pins.ba,
            o_sdram_a=pins.a,
            o_sdram_dm=pins.dqm,
            o_sdram_dq=pins.dq_o,
            o_sdram_dq_t=floating,
            i_sdram_dq_i=pins.dq_i,
        )
