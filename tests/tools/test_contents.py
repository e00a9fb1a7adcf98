"""A program's memory images, and netlists whose block RAMs hold them, or others."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from hw.tools.contents import Image, images, refuse_other_contents
from tests.tools.netlists import cell, netlist

RNG = np.random.default_rng(0)
DEPTH, BANKS = 8, 2
PROGRAM = SimpleNamespace(
    config=SimpleNamespace(prog_depth=DEPTH, width=64, col_depth=DEPTH),
    words=RNG.integers(0, 1 << 32, 5, np.uint32),
    columns=RNG.integers(0, 1 << 32, (BANKS, 6, 2), np.uint32),
)
WORDS = [int(w) for w in PROGRAM.words]
COLUMNS = [[int(low) | int(high) << 32 for low, high in bank] for bank in PROGRAM.columns]


def ram(name, units, width):
    """A block RAM of rows of 9-bit units, each 8 data bits and a parity bit, as the part has it."""
    data = parity = 0
    for at, unit in enumerate(u for row in units for u in row):
        data |= (unit & 0xFF) << 8 * at
        parity |= (unit >> 8) << at
    parameters = {f"INIT_{n:02X}": data >> 256 * n & (1 << 256) - 1 for n in range(2)}
    parameters["INITP_00"] = parity
    return cell("RAMB36E1", name, READ_WIDTH_A=width, **parameters)


def packed(words):
    """Words of 32 bits in four units: every bit of a unit is used."""
    return [[w >> 9 * u & 0x1FF for u in range(4)] for w in words]


def bytes_of(words, half):
    """Four bytes of each word of 64 bits, one a unit: no parity bit is used."""
    return [[w >> 8 * (4 * half + u) & 0xFF for u in range(4)] for w in words]


def made(words=WORDS, columns=COLUMNS, core="design.core"):
    """The netlist of a core whose memories begin with ``words`` and ``columns``."""
    cells = [ram(f"{core}.prog.mem.0.0", packed(words), 36)]
    for bank, held in enumerate(columns):
        for half in range(2):
            name = f"{core}.col.bank_{bank}.mem.0.{half}"
            cells.append(ram(name, bytes_of(held, half), 36))
    return netlist(*cells, cell("LUT1"))


def test_images():
    assert list(images(PROGRAM)) == [
        Image("design.core.prog.mem", 32, DEPTH, None, WORDS),
        Image("design.core.col.bank_0.mem", 64, DEPTH, 8, COLUMNS[0]),
        Image("design.core.col.bank_1.mem", 64, DEPTH, 8, COLUMNS[1]),
    ]
    assert [i.path for i in images(PROGRAM, "x")] == [
        "x.prog.mem",
        "x.col.bank_0.mem",
        "x.col.bank_1.mem",
    ]


def test_words_compared_are_told():
    assert refuse_other_contents(made(), PROGRAM) == DEPTH * (1 + BANKS)


def test_rest_is_zero():
    """Words behind the program's are compared too."""
    with pytest.raises(SpikeloomError) as e:
        refuse_other_contents(made([*WORDS, 0, 7]), PROGRAM)
    assert str(e.value) == (
        "netlist: memory design.core.prog.mem holds 0x7 at word 6, but the program wants 0x0"
    )


@pytest.mark.parametrize("bit", range(0, 64, 7))
@pytest.mark.parametrize(("bank", "word"), [(0, 0), (1, 5)])
def test_each_bit_counts(bit, bank, word):
    columns = [list(c) for c in COLUMNS]
    columns[bank][word] ^= 1 << bit
    with pytest.raises(SpikeloomError) as e:
        refuse_other_contents(made(columns=columns), PROGRAM)
    assert str(e.value) == (
        f"netlist: memory design.core.col.bank_{bank}.mem holds {columns[bank][word]:#x} at word "
        f"{word}, but the program wants {COLUMNS[bank][word]:#x}"
    )


def test_memory_that_is_not_there():
    whole = made()
    few = dataclasses.replace(whole, cells=whole.cells[:3])
    with pytest.raises(SpikeloomError) as e:
        refuse_other_contents(few, PROGRAM)
    assert str(e.value) == (
        "netlist: no block RAM for memory design.core.col.bank_1.mem; memories: "
        "['design.core.col.bank_0.mem', 'design.core.prog.mem']"
    )
