"""Instruction set: macro-instructions of NI 32-bit words; one is a layer, or nearly.

The one definition is `Instruction`: gateware, compiler, disassembler, interpreter and manual read
it, or the table FIELDS that is made of it.
Fields never straddle words; the order of fields is the order of bits, LSB first.

Loop nest (inner to outer): k, dx, dy | t, x, y, j, h. The first three make a *tile* (one
output-stationary pass of the array; a *tile* of MAC is some pixels, of MEAN a whole sum); j is the
column tile, h the head (buffer in MEAN). Inside a tile the row and column addresses grow, after
each issued word, by the delta of the level that advances; from tile to tile the address of the
tile's first word does (inner levels rewind: the compiler folds the rewind into the delta). dx and
dy have a second delta for advances from an odd index. With ``clip`` a tile has only the dy whose
row lies in the image: from `first_dy` to before `end_dy`; where an advance of y leaves fewer of
them out at the top, ``row_up`` and ``col_up`` are added too. Addresses are modulo 2**16, truncated
to the memory.

TABLE is followed by n_k words: the thresholds of stored membranes in ascending order. After one
with ``once`` the core keeps its table: later runs begin with the instruction behind it, until
program memory or CTRL is written.

MOVE is over as soon as the mover, which has room for one order beside the one that it carries out,
has taken it. Blocks come in the order of the moves, by turns to the two halves of column memory's
first 2 * block_depth words: the first of a run to the lower one. Column tiles of instructions with
``outside`` take them in the same order. Such a tile begins when its block is whole, and counts its
column addresses from the first word of that block's half; its parameters stand there too. When it
has ended, its half takes the block after the next.
"""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from hw.common.errors import SpikeloomError


class Op(enum.IntEnum):
    """Operation of an instruction."""

    HALT = 0  #: Stop, raise done.
    GEMM = 1  #: Row memory x column memory on the array.
    MAC = 2  #: Image or pixel memory x column memory on the lanes (first layer, heads).
    POOL = 3  #: OR of 3x3 windows at stride 2, row memory to row memory.
    MEAN = 4  #: Sum of a residual buffer over tokens and steps, per lane.
    TABLE = 5  #: Load the thresholds of stored membranes: n_k words follow the instruction.
    MOVE = 6  #: Order blocks of column memory from outside; n_j of them, n_k words of each bank.


class Dest(enum.IntEnum):
    """Where spikes (or x) go."""

    NONE = 0  #: Nowhere: the instruction writes no spikes.
    ROW = 1  #: Row memory, channel-packed: bank n mod R, C-bit slice (POOL: whole word).
    ROW_TAPS = 2  #: Row memory, horizontal neighbours packed in one word (see ``pack``).
    COL_TOKEN = 3  #: Column memory, bank n mod C, C-bit slice (keys; rows of S^T).
    COL_CHANNEL = 4  #: Column memory, bank = lane, token-packed (V; K in KV order).
    ROW_CHANNEL = 5  #: Row memory, bank = channel mod R, token-packed (V in KV order).
    PIX = 6  #: x of each lane to consecutive words of pixel memory.


class Pack(enum.IntEnum):
    """How input words of a GEMM hold horizontal taps."""

    NONE = 0  #: Words of one token's channels.
    PAIR = 1  #: Slots x-1, x.
    TRIPLE = 2  #: Slots x-1, x, x+1.


class Taps(enum.IntEnum):
    """What the dx of a GEMM's word means."""

    SIDE = 0  #: A column: shift = dx - shift_left.
    STRIDE = 1  #: Of split columns (see Mod.PAIR): odd, even, odd plane; shift -1, 0, 0.
    POOL = 2  #: Even and odd plane by turns: shift = (dx >> 1) - shift_left.


class Res(enum.IntEnum):
    """What the lanes add: y = x + r."""

    NONE = 0  #: r = 0.
    SPIKE = 1  #: r = sc_value where the shortcut spikes, else 0.
    ADD = 2  #: r = B.
    AVERAGE = 3  #: r = (A + B) >> 1.


class Keep(enum.IntEnum):
    """What is stored in the residual memory."""

    NONE = 0  #: Nothing.
    Y = 1  #: y.
    SPIKE = 2  #: 1 where the neuron fires, else 0.


class Mod(enum.IntEnum):
    """Tokens per destination word group: ``w_gs`` is added when the token index crosses it."""

    ROWS = 0  #: R
    COLS = 1  #: C
    WORD = 2  #: W
    PAIR = 3  #: 2 R, image rows padded to it; ROW: even and odd columns in planes w_half apart.


class Step(enum.IntEnum):
    """Tokens by which a tile advances."""

    ROWS = 0  #: R (GEMM)
    HALF = 1  #: R / 2 (POOL; GEMM with ``pool``: in the rows of the image that end a window)
    ONE = 2  #: 1, or the pixels of a tile (MAC)


LEVELS = ("k", "dx", "dy", "t", "x", "y", "j", "h")


@dataclass(frozen=True)
class Field:
    """One field: ``bits`` wide at bit ``low`` of word ``word``.

    ``modular``: an address delta, whose value counts modulo 2**bits. ``over``: the field in whose
    place it stands in instructions of operation ``only``, which have no use for that one.
    """

    name: str  #: As an attribute of `Instruction`.
    bits: int  #: Its width, 1 to 18.
    doc: str  #: What it means.
    signed: bool = False  #: Two's complement.
    modular: bool = False  #: An address delta: its value counts modulo 2**bits.
    word: int = 0  #: The word it stands in, from 0.
    low: int = 0  #: Its lowest bit in the word.
    over: str = ""  #: Name of the field in whose place it stands.
    only: Op | None = None  #: The operation whose instructions alone have it; None: all have it.

    @property
    def least(self) -> int:
        """Smallest value that the field holds."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def most(self) -> int:
        """Largest value that the field holds, or, of a modular one, that stands for one."""
        return (1 << (self.bits - (self.signed and not self.modular))) - 1

    def holds(self, value: int) -> bool:
        """Whether ``value`` can be encoded."""
        return self.least <= value <= self.most


@dataclass(frozen=True)
class _At:
    """Where and how wide a field of `Instruction` is."""

    bits: int
    doc: str
    signed: bool
    modular: bool
    new: bool = False
    over: str = ""
    only: Op | None = None


def _bits(bits: int, doc: str, *, signed: bool = False) -> Any:
    """Declare a field of the word that is being declared."""
    return field(default=0, metadata={"at": _At(bits, doc, signed, modular=False)})


def _word(bits: int, doc: str, *, signed: bool = False) -> Any:
    """Declare the first field of a word."""
    return field(default=0, metadata={"at": _At(bits, doc, signed, modular=False, new=True)})


def _delta(doc: str, *, new: bool = False) -> Any:
    """Declare an address delta; ``new``: the first field of a word."""
    return field(default=0, metadata={"at": _At(16, doc, signed=True, modular=True, new=new)})


def _over(over: str, only: Op, doc: str, *, signed: bool = False) -> Any:
    """Declare a field that instructions of ``only`` have in the place of ``over``."""
    at = _At(0, doc, signed, modular=False, over=over, only=only)
    return field(default=0, metadata={"at": at})


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction, decoded: the table of all fields, in the order of their bits.

    A field that its operation does not have is 0. Deltas are signed, counts and addresses are not.
    """

    op: Op = _word(3, "operation, Op")
    xnor: int = _bits(1, "GEMM: each word twice, second time inverted rows, subtracting")
    pack: int = _bits(2, "GEMM: Pack of the input words")
    slot_bytes_log2: int = _bits(2, "log2 of bytes per tap slot, input (GEMM, pack != NONE)")
    shift_left: int = _bits(2, "horizontal taps start at minus this (GEMM, POOL: 0 or 1)")
    pad_y: int = _bits(2, "vertical taps start at minus this")
    y_twice: int = _bits(1, "y advances input rows by 2")
    x_twice: int = _bits(1, "MAC: x advances input columns by 2")
    taps: int = _bits(2, "GEMM: Taps")
    odd_w: int = _bits(1, "GEMM, STRIDE: the odd plane lacks the last column")
    shortcut: int = _bits(1, "GEMM: after each tile a word of shortcut spikes is read")
    flat: int = _bits(1, "output tokens are numbered without gaps at image-row ends")
    n_step: int = _bits(2, "Step: output tokens per tile")
    factor_per_step: int = _bits(1, "factor table is indexed by t (AV)")
    n_par: int = _bits(
        5,
        "parameter words read per column tile: 0, or 1 bias + 1..16 factors, after two of the mean",
    )
    spread: int = _bits(
        1, "MAC: one x a pixel, all steps of the neuron (image the same at each step)"
    )
    mean_mask: int = _bits(4, "MEAN: valid rows in the last group of R tokens, 0 = all")
    n_k: int = _word(16, "count of k, 1.. (TABLE: words that follow, 0..)")
    n_dx: int = _bits(8, "count of dx (MEAN: time steps)")
    n_dy: int = _bits(8, "count of dy (MEAN: groups of R tokens)")
    n_t: int = _word(8, "count of t (1 for MAC with spread)")
    n_x: int = _bits(12, "count of x: row tiles across an image row (MAC: tiles of pixels)")
    n_y: int = _bits(12, "count of y")
    n_j: int = _word(12, "count of column tiles j")
    n_h: int = _bits(8, "count of heads h")
    tile_min: int = _bits(8, "least cycles from tau to tau, 2 or more")
    n_spread: int = _bits(4, "MAC with spread: steps - 1")
    img_w: int = _word(12, "input image width (tokens, for 1x1 layers)")
    img_h: int = _bits(12, "input image height")
    gap: int = _bits(5, "cycles between column tiles, timing.mean_gap")
    clip: int = _bits(1, "GEMM, MAC, POOL: dy of rows outside the image are left out")
    outside: int = _bits(1, "GEMM, MAC: column tiles take blocks from outside")
    row_k: int = _delta("row address delta when k advances", new=True)
    row_dx: int = _delta("row address delta when dx advances")
    row_dy: int = _delta("row address delta when dy advances", new=True)
    row_t: int = _delta("row address delta when t advances")
    row_x: int = _delta("row address delta when x advances", new=True)
    row_y: int = _delta("row address delta when y advances")
    row_j: int = _delta("row address delta when j advances", new=True)
    row_h: int = _delta("row address delta when h advances")
    col_k: int = _delta("col address delta when k advances", new=True)
    col_dx: int = _delta("col address delta when dx advances")
    col_dy: int = _delta("col address delta when dy advances", new=True)
    col_t: int = _delta("col address delta when t advances")
    col_x: int = _delta("col address delta when x advances", new=True)
    col_y: int = _delta("col address delta when y advances")
    col_j: int = _delta("col address delta when j advances", new=True)
    col_h: int = _delta("col address delta when h advances")
    row_dx2: int = _delta("row address delta when dx advances from an odd index", new=True)
    row_dy2: int = _delta("row address delta when dy advances from an odd index")
    col_dx2: int = _delta("col address delta when dx advances from an odd index", new=True)
    col_dy2: int = _delta("col address delta when dy advances from an odd index")
    row_up: int = _delta("row address delta too when y advances and dy > 0 was the first", new=True)
    col_up: int = _delta("col address delta too; both twice from dy = 3 with y_twice")
    row_base: int = _word(16, "row (MAC: or pixel, MEAN: residual) address of the first word")
    col_base: int = _bits(16, "column address of the first word")
    row_gs: int = _word(16, "row address distance between groups of R tokens (input)")
    par_base: int = _bits(16, "column address of the first parameter word")
    par_j: int = _word(16, "parameter address step per column tile")
    par_h: int = _bits(16, "parameter address step per head (with the last j)")
    w_base: int = _word(16, "destination address")
    w_gs: int = _bits(16, "destination distance between token groups (see w_mod)")
    w_t: int = _word(16, "destination distance between steps")
    w_j: int = _bits(16, "destination distance when the slot counter wraps (column tiles)")
    w_mod: int = _word(2, "Mod: tokens per destination group")
    slots: int = _bits(5, "C-bit slots per destination word; 1 for token-packed and PIX")
    head_align: int = _bits(1, "a new head starts a new destination word")
    res_gs: int = _bits(8, "residual groups between token groups: steps")
    res_j: int = _bits(16, "residual group distance between column tiles")
    w_half: int = _word(16, "destination distance from even to odd columns (w_mod PAIR)")
    sc_base: int = _bits(16, "row address of the shortcut")
    sc_gs: int = _word(16, "shortcut: distance between groups of R tokens")
    sc_t: int = _bits(16, "shortcut: distance between steps")
    st_base: int = _word(16, "membranes in memory: first group of R codes")
    sc_byte: int = _bits(4, "shortcut: byte of the first column tile's C bits in its word")
    pool: int = _bits(1, "GEMM: write the maxima of 3x3 windows of the spikes, at stride 2")
    drain: int = _bits(
        9, "cycles after the last issue in which its writes land, timing.drain_cycles"
    )
    # ---- fields from here on are used at lanes and write-back: constant until the drain is over
    dest: int = _word(3, "Dest")
    double: int = _bits(1, "S = 2*acc instead of acc")
    rowpop: int = _bits(1, "S -= popcount of the row")
    soft: int = _bits(1, "reset by subtraction")
    res: int = _bits(2, "Res")
    res_dest: int = _bits(1, "buffer written: 0 = A, 1 = B")
    shift: int = _bits(2, "index into formats.SHIFTS")
    lanes: int = _bits(7, "valid lanes in the last column tile, 1..C")
    w_slot_log2: int = _bits(2, "ROW_TAPS: log2 bytes per destination slot")
    w_pack: int = _bits(2, "ROW_TAPS: Pack of the destination")
    w_chan_gs: int = _bits(10, "ROW_CHANNEL: distance between groups of R channels")
    theta: int = _word(18, "threshold; 0 = the neuron is not used")
    pix_shift: int = _bits(3, "MAC: left shift of a pixel")
    w_img_w: int = _bits(11, "ROW_TAPS: destination image width")
    centre0: int = _word(16, "MAC: subtracted from shifted pixels of channel 0 mod 8", signed=True)
    centre1: int = _bits(16, "channel 1 mod 8", signed=True)
    centre2: int = _word(16, "channel 2 mod 8", signed=True)
    centre3: int = _bits(16, "channel 3 mod 8", signed=True)
    sc_value: int = _word(18, "Res.SPIKE: what a spike of the shortcut adds", signed=True)
    keep: int = _bits(2, "Keep")
    leak: int = _bits(1, "the neuron keeps a code: u = (code << state_shift) + y")
    state_shift: int = _bits(2, "index into formats.STATE_SHIFTS")
    state_bits: int = _bits(2, "index into formats.STATE_BITS")
    persist: int = _bits(1, "codes live in residual buffer A, from run to run")
    mean: int = _bits(2, "GEMM: Keep of what is summed over all tokens and steps, in each lane")
    mean_shift: int = _bits(2, "GEMM: index into formats.SHIFTS, of the mean")
    # ---- fields that stand in the place of others in instructions of one operation
    centre4: int = _over("sc_base", Op.MAC, "channel 4 mod 8", signed=True)
    centre5: int = _over("sc_gs", Op.MAC, "channel 5 mod 8", signed=True)
    centre6: int = _over("sc_t", Op.MAC, "channel 6 mod 8", signed=True)
    centre7: int = _over("row_gs", Op.MAC, "channel 7 mod 8", signed=True)
    n_pix: int = _over("mean_mask", Op.MAC, "pixels of a tile - 1")
    last_pix: int = _over("sc_byte", Op.MAC, "pixels of the last tile of an image row - 1")
    image: int = _over("odd_w", Op.MAC, "pixels come from row memory, as bytes")
    mean_base: int = _over("centre0", Op.GEMM, "pixel address of the first mean")
    once: int = _over("xnor", Op.TABLE, "later runs begin behind this instruction")
    out_low: int = _over("row_base", Op.MOVE, "outside address of the first block, low 16 bits")
    out_high: int = _over("col_base", Op.MOVE, "bits above them")
    table: tuple[int, ...] = ()  #: TABLE: the words that follow.

    def count(self, level: str) -> int:
        """Count of a loop, by the name of its level."""
        return getattr(self, f"n_{level}")

    def base(self, prefix: str) -> int:
        """First address of a stream, ``row`` or ``col``."""
        return getattr(self, f"{prefix}_base")

    def delta(self, prefix: str, level: str, odd: bool = False) -> int:
        """Address delta of a stream when a level advances (``odd``: of dx and dy, from odd)."""
        return getattr(self, f"{prefix}_{level}{'2' * odd}")

    def first_dy(self, y: int) -> int:
        """First dy of the tiles of an output row."""
        return max(0, self.pad_y - (y << self.y_twice)) if self.clip else 0

    def end_dy(self, y: int) -> int:
        """One more than the last dy of the tiles of an output row."""
        rows = self.img_h + self.pad_y - (y << self.y_twice)
        return min(self.n_dy, rows) if self.clip else self.n_dy

    @property
    def out_addr(self) -> int:
        """MOVE: outside address of the first block."""
        return self.out_low | self.out_high << 16

    def centre(self, channel: int) -> int:
        """What MAC subtracts from the pixels of a channel."""
        return getattr(self, f"centre{channel % CENTRES}")


def _fields() -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """FIELDS and OVERLAYS of `Instruction`'s declarations."""
    out: list[Field] = []
    over: list[Field] = []
    word, low = -1, 0
    for name, at in ((f.name, f.metadata.get("at")) for f in fields(Instruction)):
        if at is None:
            continue
        if at.over:
            place = next(f for f in out if f.name == at.over)
            one = replace(place, name=name, doc=at.doc, signed=at.signed, modular=False)
            over.append(replace(one, over=at.over, only=at.only))
            continue
        word, low = (word + 1, 0) if at.new else (word, low)
        out.append(Field(name, at.bits, at.doc, at.signed, at.modular, word, low))
        low += at.bits
        assert low <= 32, (word, low)
    return tuple(out), tuple(over)


#: Fields in the order of their bits; fields that stand in the place of others.
FIELDS, OVERLAYS = _fields()
SLOT_BYTES = (1, 2, 4, 8)  #: Bytes of a tap slot, by the fields' logarithms.
MAX_KERNEL = 15  #: Taps of a MAC along an image's side: 4 bits tell how far ahead one is.
CENTRES = 8  #: Centres of a MAC; channels k and k + 8 share one.
BY_NAME = {f.name: f for f in (*FIELDS, *OVERLAYS)}
NI = FIELDS[-1].word + 1  #: Words per instruction.
MEANING = 1  #: One more whenever a field that keeps its place comes to mean something else.
LATE_WORD = BY_NAME["dest"].word  #: First word that lanes and write-back use during the drain.


def encode(op: Op, **values: int) -> list[int]:
    """Return the NI words of an instruction; fields not given are 0.

    Raises SpikeloomError for an unknown field, one that the operation does not have, or a value
    that does not fit: never truncated. Only address deltas, which count modulo 2**16, take
    -32768..65535.
    """
    words = [0] * NI
    for name, value in {"op": int(op), **values}.items():
        f = BY_NAME.get(name)
        if f is None:
            raise SpikeloomError(f"{op.name}: no instruction field is called {name!r}")
        if not f.holds(value):
            raise SpikeloomError(
                f"{op.name}: field {name} has {f.bits} bits and cannot hold {value!r} ({f.doc}); "
                f"it holds {f.least} to {f.most}"
            )
        if value and not _exists(f, op):
            raise SpikeloomError(f"{op.name}: this operation has no field {name} ({f.doc})")
        words[f.word] |= (int(value) & ((1 << f.bits) - 1)) << f.low
    return words


def _exists(f: Field, op: int) -> bool:
    """Whether instructions of ``op`` have the field."""
    if f.only is not None:
        return op == f.only
    return not any(o.over == f.name and o.only == op for o in OVERLAYS)


def decode(words: Sequence[int]) -> Instruction:
    """Return an instruction of NI words; signed fields sign-extended.

    A field that the operation does not have is 0.
    """
    if len(words) != NI:
        raise SpikeloomError(f"an instruction has {NI} words, not {len(words)}")
    op = int(words[0]) & ((1 << BY_NAME["op"].bits) - 1)
    values: dict[str, Any] = {
        f.name: _value(f, words) for f in (*FIELDS, *OVERLAYS) if _exists(f, op)
    }
    return Instruction(**values)


def _value(f: Field, words: Sequence[int]) -> int:
    v = (int(words[f.word]) >> f.low) & ((1 << f.bits) - 1)
    return v - (1 << f.bits) if f.signed and v >> (f.bits - 1) else v


#: Fields of cores that have a mover; others know nothing of them.
MOVING = ("outside", *(f.name for f in OVERLAYS if f.only == Op.MOVE))


def fingerprint(moving: bool = False) -> list[list[str | int]]:
    """Names and places of all fields, for the digest, and how often their meaning changed.

    ``moving``: of a core that has a mover.
    """
    all_ = [f for f in (*FIELDS, *OVERLAYS) if moving or f.name not in MOVING]
    places = [[f.name, f.word, f.low, f.bits] for f in all_]
    return [*places, ["meaning", MEANING]]


def instructions(program: Iterable[int]) -> list[Instruction]:
    """Decode a program memory image up to and including HALT."""
    words, out, at = [int(w) for w in program], [], 0
    while at + NI <= len(words):
        i = decode(words[at : at + NI])
        at += NI
        if i.op == Op.TABLE:
            i = replace(i, table=tuple(words[at : at + i.n_k]))
            at += i.n_k
        out.append(i)
        if i.op == Op.HALT:
            return out
    raise SpikeloomError(f"program of {len(words)} words has no HALT")
