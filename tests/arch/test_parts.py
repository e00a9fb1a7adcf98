"""Where a core's memories go on a part, against counts made by hand."""

import dataclasses

import pytest

from hw.arch import Config, SpikeloomError
from hw.arch.parts import PARTS, Ram, fit, memories, part

ICE = part("ice40up5k")
BLOCK, SINGLE = (ram.name for ram in ICE.rams)


@pytest.mark.parametrize(
    ("width", "depth", "wanted"),
    [
        (16, 256, 1),
        (16, 257, 2),
        (17, 256, 2),
        (18, 512, 3),
        (8, 512, 1),
        (9, 512, 2),
        (32, 256, 2),
        (32, 1024, 8),
        (2, 2048, 1),
        (1, 2049, 2),
        (1, 1, 1),
    ],
)
def test_fewest_blocks(width, depth, wanted):
    assert ICE.rams[0].blocks(width, depth) == wanted


def test_the_stated_core_fits():
    """4 x 2 + 8 x 2 + 3 + 2 + 1 block RAMs, two single-port ones."""
    found = fit(ICE.config, ICE)
    assert {m.name: n for m, kind, n in found.rows if kind == BLOCK} == {
        "row": 8,
        "column": 16,
        "pixel": 3,
        "log": 2,
        "link buffer": 1,
    }
    assert found.used == {BLOCK: 30, SINGLE: 2}
    assert found.faults == []
    assert all(m.name == "program" for m, kind, _ in found.rows if kind == SINGLE)


@pytest.mark.parametrize(
    ("change", "blocks"),
    [
        ({"row_depth": 512}, 38),
        ({"col_depth": 257}, 46),
        ({"res_bits": 18, "res_depth": 64}, 30 + 16 * 2),
        ({"state_bits": 8}, 30 + 4 * 2 * 2),  # two read ports each: two copies
        ({"pix_depth": 1024}, 30 - 3 + 5),
    ],
)
def test_larger_cores_do_not(change, blocks):
    found = fit(dataclasses.replace(ICE.config, **change), ICE)
    assert found.used[BLOCK] == blocks
    over = blocks > 30
    assert found.faults == ([f"{ICE.title} has 30 {BLOCK}, these memories take {blocks}"] * over)


def test_a_program_too_deep_for_single_port_rams_takes_blocks():
    rams = (ICE.rams[0], Ram(name=SINGLE, count=1, shapes=((16384, 16),), single_port=True))
    found = fit(ICE.config, dataclasses.replace(ICE, rams=rams))
    assert found.used == {BLOCK: 30 + 8, SINGLE: 0}  # 1024 words of 32 bits


def test_memories_are_those_of_the_gateware():
    """Every memory of the core, by width and depth, is in the list, and nothing else is."""
    from amaranth.hdl import Fragment, MemoryInstance, Shape

    from hw.core.core import Core

    for config in (ICE.config, Config(), Config(state_bits=0)):
        found, left = [], [Fragment.get(Core(config), None)]
        while left:
            fragment = left.pop()
            if isinstance(fragment, MemoryInstance):
                data = fragment._data
                found.append((Shape.cast(data.shape).width, data.depth))
            left += [f for f, *_ in fragment.subfragments]
        wanted = [
            (m.width, m.depth)
            for m in memories(config)
            if m.name != "link buffer"
            for _ in range(m.count)
        ]
        assert sorted(found) == sorted(wanted)


def test_unknown_part():
    with pytest.raises(SpikeloomError, match=f"unknown part 'x'; known parts: {', '.join(PARTS)}"):
        part("x")


@pytest.mark.parametrize(("depth", "blocks"), [(0, 0), (128, 0), (129, 1), (257, 1), (513, 2)])
def test_a_long_line_of_pools_takes_block_ram(depth, blocks):
    config = dataclasses.replace(ICE.config, pool_depth=depth)
    assert fit(config, ICE).used[BLOCK] == 30 + blocks
    lines = [m for m in memories(config) if "pools" in m.name]
    assert [(m.width, m.depth) for m in lines] == ([(8, depth), (8, 16)] if depth else [])
