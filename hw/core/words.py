"""What moves through the core: the instruction, an issued word, a tile's tag."""

from typing import Any

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from hw.arch.isa import BY_NAME, FIELDS, NI

COLUMN = signed(14)  #: Shape of an image column, or of tokens to the end of an image row.
ADDR = 16  #: Width of addresses inside the core; each memory takes the low bits.


def instruction_layout() -> data.StructLayout:
    """All fields at their bits of NI concatenated words."""
    members: dict[str, Any] = {}
    pos = 0
    for f in FIELDS:
        at = 32 * f.word + f.low
        if at > pos:
            members[f"_{pos}"] = at - pos
        members[f.name] = signed(f.bits) if f.signed else f.bits
        pos = at + f.bits
    if pos < 32 * NI:
        members[f"_{pos}"] = 32 * NI - pos
    return data.StructLayout(members)


MEAN_BIAS, MEAN_FACTOR = 30, 31  #: Numbers of a mean's parameters, which come before the others.


def field(insn: Any, name: str) -> Any:
    """Return an instruction's field, also one that stands in the place of another."""
    f = BY_NAME[name]
    return insn[f.over or f.name]


class Word(data.Struct):
    """What goes out with every issue cycle, at cycle 0."""

    valid: unsigned(1)  #: A word of the current tile.
    par: unsigned(1)  #: A parameter word.
    par_index: unsigned(5)  #: 0 the bias, then factors; MEAN_BIAS, MEAN_FACTOR.
    half: unsigned(1)  #: Which half of the factor table parameters go to, or words use.
    row_addr: unsigned(ADDR)
    col_addr: unsigned(ADDR)
    first: unsigned(1)  #: First word of its tile.
    last: unsigned(1)  #: Last word of its tile.
    new: unsigned(1)  #: The tile is the first of its column tile.
    neg: unsigned(1)  #: Inverted rows, subtract.
    left: unsigned(1)  #: Horizontal shift -1.
    right: unsigned(1)  #: Horizontal shift +1.
    dx0: unsigned(1)  #: dx == 0.
    y_ok: unsigned(1)  #: The input row is inside the image.
    x_ok: unsigned(1)  #: MAC: the tap's column is inside the image.
    k: unsigned(4)  #: k modulo 16.
    x_zero: unsigned(1)  #: x == 0.
    x_left: unsigned(12)  #: Tokens from the tile's first to the end of the image row.
    column: COLUMN  #: MAC: image column of the tap in the tile's first pixel,
    to_end: COLUMN  #: and tokens from there to the end of the image row.
    second: unsigned(1)  #: h == 1 (MEAN: buffer B).
    sum_ok: unsigned(1)  #: MEAN: the word is a valid token.
    edge: unsigned(1)  #: Mask as if the shift were +1 (last odd column missing).
    sc: unsigned(1)  #: A word of shortcut spikes; not valid.
    sc_byte: unsigned(4)  #: Byte of the column tile's C bits in it.


class Tag(data.Struct):
    """A tile, for lanes and write-back; valid in the cycle after tau."""

    valid: unsigned(1)
    half: unsigned(1)
    new: unsigned(1)  #: First tile of a column tile.
    final: unsigned(1)  #: Last column tile of its head.
    t: unsigned(4)
    start: unsigned(1)  #: t == 0.
    n_valid: unsigned(5)  #: Valid rows.
    nb: unsigned(8)  #: Token counter, low bits.
    addr: unsigned(ADDR)  #: Destination address of row 0.
    slot: unsigned(5)
    res: unsigned(ADDR)  #: Residual group of row 0.
    x_out: unsigned(11)  #: Destination image column of row 0.
    closes: unsigned(1)  #: Last tile of a column tile.
    odd: unsigned(1)  #: y is odd.
    ends: unsigned(1)  #: Windows of a fused pool end in this image row: y is odd or the last.
