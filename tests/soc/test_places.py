"""Addresses that exist, against the sizes of the memories."""

import random

import pytest

from hw.arch import Config
from hw.arch.memmap import Mem, extent, load_addr
from hw.soc.places import Places
from sim.pysim import run

CONFIGS = [
    Config(rows=4, cols=16, width=64),
    Config(rows=8, cols=8, width=128, row_depth=100, col_depth=65_536, pix_depth=77),
    Config(block_depth=64, outside=3),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_places_that_exist_are_those_of_the_memories(config):
    dut, rng, cases = Places(config), random.Random(0), []
    for number in range(8):
        banks, parts, depth = extent(config, Mem(number)) if number in list(Mem) else (2, 2, 64)
        for _ in range(60):
            bank = rng.choice([0, max(banks - 1, 0), min(banks, 127), 127])
            part = rng.choice([0, parts - 1, min(parts, 15), 15])
            word = rng.choice([0, depth - 1, min(depth, 65_535), depth // 2, 65_535])
            count = rng.choice([0, 1, 2, depth - word, depth - word + 1, 65_535]) & 0xFFFF
            for writes in (0, 1):
                there = number in ((0, 1, 2, 3, 4, 6) if writes else (0, 1, 2, 3, 5, 6))
                inside = bank < banks and part < parts and word + count <= depth
                addr = load_addr(Mem.PROG, word, bank, part) | number << 27
                cases.append((addr, count, writes, there and inside))

    async def bench(ctx):
        for addr, count, writes, exist in cases:
            ctx.set(dut.addr, addr)
            ctx.set(dut.count, count)
            ctx.set(dut.writes, writes)
            assert ctx.get(dut.exist) == exist, (hex(addr), count, writes)
            await ctx.tick()

    run(dut, bench)
    assert 50 < sum(case[3] for case in cases)
