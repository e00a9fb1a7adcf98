"""The cocotb test behind ``sim.uart``: the host's own driver on the pins, bit by bit."""

import json
import os
from collections import deque
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import Event, FallingEdge, First, Timer

from hw.arch import link
from sim.cocotb_run import JOB
from sw.compiler import Program
from sw.host.device import Device

SILENCE_US = 2000  #: Simulated time without a byte after which a reply is lost.


class Pins:
    """A transport (see `sw.host.device`) over the pins; 8N1."""

    def __init__(self, dut, bit_ns: int):
        self.dut, self.bit = dut, bit_ns  # bit: in ns
        self.bytes: deque[int] = deque()
        self.heard = Event()
        self.write = resume(self._write)
        self.read = resume(self._read)

    async def listen(self) -> None:
        """Collect bytes from ``uart_tx`` for ever."""
        while True:
            await FallingEdge(self.dut.uart_tx)
            await Timer(self.bit // 2, "ns")
            assert self.dut.uart_tx.value == 0, "start bit is no bit long"
            byte = 0
            for k in range(8):
                await Timer(self.bit, "ns")
                byte |= int(self.dut.uart_tx.value) << k
            await Timer(self.bit, "ns")
            assert self.dut.uart_tx.value == 1, "no stop bit"
            self.bytes.append(byte)
            self.heard.set()

    async def _write(self, data: bytes) -> None:
        for byte in data:
            for level in (0, *((byte >> k) & 1 for k in range(8)), 1):
                self.dut.uart_rx.value = level
                await Timer(self.bit, "ns")

    async def _read(self, wait: float) -> bytes:
        if not self.bytes:
            self.heard.clear()
            silence = Timer(SILENCE_US, "us")
            await First(self.heard.wait(), silence)
        return bytes(self.bytes.popleft() for _ in range(len(self.bytes)))

    def set_baud(self, baud: int) -> None:
        """Send and listen at this rate from now on."""
        self.bit = round(1e9 / baud)


@cocotb.test()
async def infer(dut):
    """Identify, write an image, start, poll, read logits and cycles, for each image."""
    folder = Path(os.environ[JOB])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    program = Program.load(folder / "program.npz")
    images = np.load(folder / "images.npy")
    period = round(1e9 / job["clock"])
    dut.rst.value, dut.uart_rx.value = 1, 1
    Clock(dut.clk, period, "ns", impl="gpi").start(start_high=False)
    await Timer(10 * period, "ns")
    dut.rst.value = 0
    await Timer(10 * period, "ns")
    assert dut.led_busy.value == 0
    pins = Pins(dut, round(1e9 / link.BAUD))
    cocotb.start_soon(pins.listen())
    device = Device(pins)

    def talk() -> list[dict]:
        assert device.identity.clock == job["clock"]
        assert device.identity.config == program.config
        answers = [device.infer(program, image) for image in images]
        return [{"logits": a.logits.tolist(), "cycles": a.cycles} for a in answers]

    answers = await bridge(talk)()
    assert dut.led_done.value == 1
    (folder / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
