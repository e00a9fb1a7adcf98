"""The cocotb test that plays a core before a flash of cocotbext-qspi; tests/outside/test_norbench.

Not collected by pytest; it runs inside the simulator.
"""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from hw.arch.outside import ADDRESS_BITS

OFFSET = 0x400
SIZE = 1 << 16  #: Bytes of the model.


def byte(n):
    n %= SIZE
    return ((n & 255) * 151 + (n >> 8) * 37) & 255


def word(addr):
    at = OFFSET + 4 * addr
    return int.from_bytes(bytes(byte(at + k) for k in range(4)), "little")


async def ask(dut, addr, count):
    dut.request.value = addr | count << ADDRESS_BITS
    dut.request_valid.value = 1
    while True:
        await FallingEdge(dut.clk)
        taken = int(dut.request_ready.value)
        await RisingEdge(dut.clk)
        if taken:
            break
    dut.request_valid.value = 0


async def take(dut, rng, stall):
    """Return a word, taken with pauses."""
    while True:
        ready = rng.random() >= stall
        dut.read_ready.value = int(ready)
        await FallingEdge(dut.clk)
        valid, value = int(dut.read_valid.value), int(dut.read.value)
        assert not int(dut.clash.value), "two drive"
        await RisingEdge(dut.clk)
        if ready and valid:
            dut.read_ready.value = 0
            return value


@cocotb.test()
async def words(dut):
    """Words of random requests, with pauses and drops, are those of the model's memory."""
    rng = random.Random(1)
    for name in ("request_valid", "request", "read_ready", "drop"):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, 20, "ns", impl="gpi").start(start_high=False)
    for _ in range(4):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    at = 0
    for n in range(60):
        addr = at if rng.random() < 0.4 else rng.randrange(SIZE // 4)
        count, stall = rng.randrange(1, 20), rng.choice([0, 0.5, 0.95])
        await ask(dut, addr, count)
        left = rng.randrange(count) if n % 5 == 4 else count
        got = [await take(dut, rng, stall) for _ in range(left)]
        assert got == [word(addr + k) for k in range(left)], (n, addr, count)
        at = addr + count
        if left < count:
            for _ in range(rng.randrange(60)):
                await RisingEdge(dut.clk)
            dut.drop.value = 1
            await RisingEdge(dut.clk)
            dut.drop.value = 0
