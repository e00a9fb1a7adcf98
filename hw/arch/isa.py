"""Instruction set: macro-instructions of NI 32-bit words; one is a layer, or nearly.

The one definition: gateware, compiler, disassembler, interpreter and manual read FIELDS.
Fields never straddle words; the order of fields is the order of bits, LSB first.

Loop nest (inner to outer): k, dx, dy | t, x, y, j, h. The first three make a *tile* (one
output-stationary pass of the array; a *tile* of MAC is one pixel, of MEAN a whole sum); j is the
column tile, h the head (buffer in MEAN). After each issued word the row and column addresses
grow by the delta of the level that advances (inner levels rewind: the compiler folds the rewind
into the delta); dx and dy have a second delta for advances from an odd index. Addresses are
modulo 2**16, truncated to the memory.

TABLE is followed by n_k words: the thresholds of stored membranes in ascending order.
"""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hw.common.errors import SpikeloomError


class Op(enum.IntEnum):
    """Operation of an instruction."""

    HALT = 0  #: Stop, raise done.
    GEMM = 1  #: Row memory x column memory on the array.
    MAC = 2  #: Pixel memory x column memory on the lanes (first layer, heads).
    POOL = 3  #: OR of 3x3 windows at stride 2, row memory to row memory.
    MEAN = 4  #: Sum of a residual buffer over tokens and steps, per lane.
    TABLE = 5  #: Load the thresholds of stored membranes: n_k words follow the instruction.


class Dest(enum.IntEnum):
    """Where spikes (or x) go."""

    NONE = 0
    ROW = 1  #: Row memory, channel-packed: bank n mod R, C-bit slice (POOL: whole word).
    ROW_TAPS = 2  #: Row memory, horizontal neighbours packed in one word (see ``pack``).
    COL_TOKEN = 3  #: Column memory, bank n mod C, C-bit slice (keys; rows of S^T).
    COL_CHANNEL = 4  #: Column memory, bank = lane, token-packed (V; K in KV order).
    ROW_CHANNEL = 5  #: Row memory, bank = channel mod R, token-packed (V in KV order).
    PIX = 6  #: x of each lane to consecutive words of pixel memory.


class Pack(enum.IntEnum):
    """How input words of a GEMM hold horizontal taps."""

    NONE = 0
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

    NONE = 0
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
    HALF = 1  #: R / 2 (POOL)
    ONE = 2  #: 1 (MAC)


LEVELS = ("k", "dx", "dy", "t", "x", "y", "j", "h")


@dataclass(frozen=True)
class Field:
    """One field: ``bits`` wide at bit ``low`` of word ``word``.

    ``modular``: an address delta, whose value counts modulo 2**bits. ``over``: the field in whose
    place it stands in instructions of operation ``only``, which have no use for that one.
    """

    name: str
    bits: int
    doc: str
    signed: bool = False
    modular: bool = False
    word: int = 0
    low: int = 0
    over: str = ""
    only: Op | None = None

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


def _pack(words: Sequence[Sequence[Field]]) -> tuple[Field, ...]:
    out = []
    for w, fields in enumerate(words):
        low = 0
        for f in fields:
            out.append(replace(f, word=w, low=low))
            low += f.bits
        assert low <= 32, (w, low)
    return tuple(out)


def _delta(prefix: str, level: str) -> Field:
    text = f"{prefix} address delta when {level} advances"
    return Field(f"{prefix}_{level}", 16, text, True, True)


FIELDS = _pack(
    [
        [
            Field("op", 3, "operation, Op"),
            Field("xnor", 1, "GEMM: each word twice, second time inverted rows, subtracting"),
            Field("pack", 2, "GEMM: Pack of the input words"),
            Field("slot_bytes_log2", 2, "log2 of bytes per tap slot, input (GEMM, pack != NONE)"),
            Field("shift_left", 2, "horizontal taps start at minus this (GEMM, POOL: 0 or 1)"),
            Field("pad_y", 2, "vertical taps start at minus this"),
            Field("y_twice", 1, "y advances input rows by 2"),
            Field("x_twice", 1, "MAC: x advances input columns by 2"),
            Field("taps", 2, "GEMM: Taps"),
            Field("odd_w", 1, "GEMM, STRIDE: the odd plane lacks the last column"),
            Field("shortcut", 1, "GEMM: after each tile a word of shortcut spikes is read"),
            Field("flat", 1, "output tokens are numbered without gaps at image-row ends"),
            Field("n_step", 2, "Step: output tokens per tile"),
            Field("factor_per_step", 1, "factor table is indexed by t (AV)"),
            Field("n_par", 5, "parameter words read per column tile: 0, or 1 bias + 1..16 factors"),
            Field("spread", 1, "MAC: one x, all steps of the neuron (image the same at each step)"),
            Field("mean_mask", 4, "MEAN: valid rows in the last group of R tokens, 0 = all"),
        ],
        [
            Field("n_k", 16, "count of k, 1.. (TABLE: words that follow, 0..)"),
            Field("n_dx", 8, "count of dx (MEAN: time steps)"),
            Field("n_dy", 8, "count of dy (MEAN: groups of R tokens)"),
        ],
        [
            Field("n_t", 8, "count of t (1 for MAC with spread)"),
            Field("n_x", 12, "count of x: row tiles across an image row (MAC: pixels)"),
            Field("n_y", 12, "count of y"),
        ],
        [
            Field("n_j", 12, "count of column tiles j"),
            Field("n_h", 8, "count of heads h"),
            Field("tile_min", 8, "least cycles per tile, 2 or more"),
            Field("n_spread", 4, "MAC with spread: steps - 1"),
        ],
        [Field("img_w", 12, "input image width (tokens, for 1x1 layers)"),
         Field("img_h", 12, "input image height")],
        [_delta("row", "k"), _delta("row", "dx")],
        [_delta("row", "dy"), _delta("row", "t")],
        [_delta("row", "x"), _delta("row", "y")],
        [_delta("row", "j"), _delta("row", "h")],
        [_delta("col", "k"), _delta("col", "dx")],
        [_delta("col", "dy"), _delta("col", "t")],
        [_delta("col", "x"), _delta("col", "y")],
        [_delta("col", "j"), _delta("col", "h")],
        [Field("row_dx2", 16, "row address delta when dx advances from an odd index", True, True),
         Field("row_dy2", 16, "row address delta when dy advances from an odd index", True, True)],
        [Field("col_dx2", 16, "col address delta when dx advances from an odd index", True, True),
         Field("col_dy2", 16, "col address delta when dy advances from an odd index", True, True)],
        [Field("row_base", 16, "row (MAC: pixel, MEAN: residual) address of the first word"),
         Field("col_base", 16, "column address of the first word")],
        [Field("row_gs", 16, "row address distance between groups of R tokens (input)"),
         Field("par_base", 16, "column address of the first parameter word")],
        [Field("par_j", 16, "parameter address step per column tile"),
         Field("par_h", 16, "parameter address step per head (with the last j)")],
        [Field("w_base", 16, "destination address"),
         Field("w_gs", 16, "destination distance between token groups (see w_mod)")],
        [Field("w_t", 16, "destination distance between steps"),
         Field("w_j", 16, "destination distance when the slot counter wraps (column tiles)")],
        [Field("w_mod", 2, "Mod: tokens per destination group"),
         Field("slots", 5, "C-bit slots per destination word; 1 for token-packed and PIX"),
         Field("head_align", 1, "a new head starts a new destination word"),
         Field("res_gs", 8, "residual groups between token groups: steps"),
         Field("res_j", 16, "residual group distance between column tiles")],
        [Field("w_half", 16, "destination distance from even to odd columns (w_mod PAIR)"),
         Field("sc_base", 16, "row address of the shortcut")],
        [Field("sc_gs", 16, "shortcut: distance between groups of R tokens"),
         Field("sc_t", 16, "shortcut: distance between steps")],
        [Field("st_base", 16, "membranes in memory: first group of R codes"),
         Field("sc_byte", 4, "shortcut: byte of the first column tile's C bits in its word")],
        # ---- fields from here on are used at lanes and write-back: fetched after the drain
        [Field("dest", 3, "Dest"),
         Field("double", 1, "S = 2*acc instead of acc"),
         Field("rowpop", 1, "S -= popcount of the row"),
         Field("soft", 1, "reset by subtraction"),
         Field("res", 2, "Res"),
         Field("res_dest", 1, "buffer written: 0 = A, 1 = B"),
         Field("shift", 2, "index into formats.SHIFTS"),
         Field("lanes", 7, "valid lanes in the last column tile, 1..C"),
         Field("w_slot_log2", 2, "ROW_TAPS: log2 bytes per destination slot"),
         Field("w_pack", 2, "ROW_TAPS: Pack of the destination"),
         Field("w_chan_gs", 10, "ROW_CHANNEL: distance between groups of R channels")],
        [Field("theta", 18, "threshold; 0 = the neuron is not used"),
         Field("pix_shift", 3, "MAC: left shift of a pixel"),
         Field("w_img_w", 11, "ROW_TAPS: destination image width")],
        [Field("centre0", 16, "MAC: subtracted from shifted pixels of channel 0 mod 8", True),
         Field("centre1", 16, "channel 1 mod 8", True)],
        [Field("centre2", 16, "channel 2 mod 8", True),
         Field("centre3", 16, "channel 3 mod 8", True)],
        [Field("sc_value", 18, "Res.SPIKE: what a spike of the shortcut adds", True),
         Field("keep", 2, "Keep"),
         Field("leak", 1, "the neuron keeps a code: u = (code << state_shift) + y"),
         Field("state_shift", 2, "index into formats.STATE_SHIFTS"),
         Field("state_bits", 2, "index into formats.STATE_BITS"),
         Field("persist", 1, "codes live in residual buffer A, from run to run")],
    ]
)  # fmt: skip

_PLACES = {f.name: f for f in FIELDS}
#: Fields that stand in the place of others in instructions of one operation.
OVERLAYS = tuple(
    Field(
        f"centre{n}",
        16,
        f"channel {n} mod 8",
        True,
        False,
        _PLACES[over].word,
        _PLACES[over].low,
        over,
        Op.MAC,
    )
    for n, over in enumerate(("sc_base", "sc_gs", "sc_t", "row_gs"), 4)
)
SLOT_BYTES = (1, 2, 4, 8)  #: Bytes of a tap slot, by the fields' logarithms.
MAX_KERNEL = 15  #: Taps of a MAC along an image's side: 4 bits tell how far ahead one is.
CENTRES = 8  #: Centres of a MAC; channels k and k + 8 share one.
BY_NAME = _PLACES | {f.name: f for f in OVERLAYS}
NI = FIELDS[-1].word + 1  #: Words per instruction.
LATE_WORD = BY_NAME["dest"].word  #: First word that is fetched only after the pipeline drained.


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


def decode(words: Sequence[int]) -> dict[str, int]:
    """Return all fields of an instruction of NI words; signed fields sign-extended.

    A field that the operation does not have is 0; those of OVERLAYS are there where it has them.
    """
    if len(words) != NI:
        raise SpikeloomError(f"an instruction has {NI} words, not {len(words)}")
    op = int(words[0]) & ((1 << BY_NAME["op"].bits) - 1)
    out = {f.name: _value(f, words) if _exists(f, op) else 0 for f in FIELDS}
    return out | {f.name: _value(f, words) for f in OVERLAYS if _exists(f, op)}


def _value(f: Field, words: Sequence[int]) -> int:
    v = (int(words[f.word]) >> f.low) & ((1 << f.bits) - 1)
    return v - (1 << f.bits) if f.signed and v >> (f.bits - 1) else v


def fingerprint() -> list[list[str | int]]:
    """Names and places of all fields, for the digest."""
    return [[f.name, f.word, f.low, f.bits] for f in (*FIELDS, *OVERLAYS)]


def instructions(program: Iterable[int]) -> list[dict[str, int]]:
    """Decode a program memory image up to and including HALT.

    A TABLE's dictionary has one more entry, ``table``: its words.
    """
    words, out, at = [int(w) for w in program], [], 0
    while at + NI <= len(words):
        i: dict = decode(words[at : at + NI])
        at += NI
        if i["op"] == Op.TABLE:
            i["table"] = tuple(words[at : at + i["n_k"]])
            at += i["n_k"]
        out.append(i)
        if i["op"] == Op.HALT:
            return out
    raise SpikeloomError(f"program of {len(words)} words has no HALT")
