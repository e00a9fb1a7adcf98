"""Sizes of one core instance."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass

from hw.arch import formats, isa
from hw.arch.formats import ACC_BITS, MEMBRANE_BITS, STATE_BITS
from hw.arch.memmap import MOST_WORDS
from hw.arch.outside import ADDRESS_BITS
from hw.common.errors import SpikeloomError

POOL_LUT_WORDS = 128  #: Words of the line of pools up to which LUTs make it, not block RAM.
_MAY_BE_0 = ("state_bits", "pixels", "pool_depth", "means", "prefetch", "block_depth", "outside")
_BLOCK = "a power of two, or 0 for a core without a mover"


def _power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


@dataclass(frozen=True, kw_only=True)
class Config:
    """One core: array of ``rows`` x ``cols`` elements of ``width`` bits, and its memories.

    Raises SpikeloomError where sizes are impossible; the message names field, value and range.
    """

    rows: int = 4  #: R, token rows of the array; 4, 8 or 16.
    cols: int = 16  #: C, array columns and lanes; a power of two, 8 to 64, at most R * R.
    width: int = 32  #: W, bits of an operand word; 32, 64 or 128, a multiple of C.
    row_depth: int = 2048  #: Words of one row bank (R banks of W bits): spikes.
    col_depth: int = 1024  #: Words of one column bank (C of W bits): weights, parameters, K/V.
    res_depth: int = 1024  #: Words of one residual bank (2 buffers of C banks of 18 bits).
    pix_depth: int = 1024  #: Words of the pixel memory (18 bits): image, features, logits.
    prog_depth: int = 1024  #: Words of the program memory (32 bits).
    acc_bits: int = 13  #: Signed width of an element's accumulator; 8 to 16.
    state_bits: int = 8  #: Widest membrane that lanes can store as a code: 0 (none), 2, 4 or 8.
    res_bits: int = MEMBRANE_BITS  #: Of a residual word: 18, or 1 for spikes alone, in registers.
    pixels: int = 0  #: Pixels of a tile of the first layer: 1, 2, or 0 for one for each row.
    pool_depth: int = 128  #: Words (C bits) of the line of pools in write-back; 0: it has none.
    means: int = 1  #: 1: lanes sum means while they write; 0: an instruction of its own does.
    prefetch: int = 1  #: 1: late words of the next instruction are fetched while one runs.
    block_depth: int = 0  #: Words a bank of each half of column memory that blocks from outside
    #: come to by turns: a power of two; 0: the core has no mover.
    outside: int = 0  #: Words, in 2**20, of the memory outside that the link reaches.

    def __post_init__(self) -> None:
        def check(ok: bool, name: str, want: str) -> None:
            if not ok:
                raise SpikeloomError(
                    f"core configuration: {name} = {getattr(self, name)!r}, but it must be {want}"
                )

        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            least = 0 if f.name in _MAY_BE_0 else 1
            check(
                isinstance(value, int) and not isinstance(value, bool) and value >= least,
                f.name,
                "a positive integer" if least else "a whole number",
            )
        check(self.rows in (4, 8, 16), "rows", "4, 8 or 16")
        check(_power_of_two(self.cols) and 8 <= self.cols <= 64, "cols", "8, 16, 32 or 64")
        check(self.cols <= self.rows**2, "cols", f"at most rows squared ({self.rows**2})")
        check(self.cols >= self.rows, "cols", f"at least rows ({self.rows})")
        check(self.width in (32, 64, 128), "width", "32, 64 or 128")
        check(self.width % self.cols == 0, "width", f"a multiple of cols ({self.cols})")
        low, high = ACC_BITS
        check(low <= self.acc_bits <= high, "acc_bits", f"{low} to {high}")
        check(self.state_bits in (0, *STATE_BITS), "state_bits", "0, 2, 4 or 8")
        check(self.res_bits in (1, MEMBRANE_BITS), "res_bits", f"1 or {MEMBRANE_BITS}")
        check(self.pixels in (0, 1, 2), "pixels", "1, 2 or 0 (one for each row)")
        check(self.pool_depth <= MOST_WORDS, "pool_depth", f"at most {MOST_WORDS}")
        check(self.means in (0, 1), "means", "0 or 1")
        check(self.prefetch in (0, 1), "prefetch", "0 or 1")
        check(not self.block_depth or _power_of_two(self.block_depth), "block_depth", _BLOCK)
        check(not self.outside or self.block_depth > 0, "outside", "0 without a block_depth")
        check(
            self.outside <= 1 << ADDRESS_BITS - 20, "outside", f"at most {1 << ADDRESS_BITS - 20}"
        )
        half = self.col_depth // 2
        check(self.block_depth <= half, "block_depth", f"at most half of col_depth ({half})")
        for name in ("row_depth", "col_depth", "res_depth", "pix_depth", "prog_depth"):
            least = 16 if name == "res_depth" and self.res_bits == 1 else 64
            check(least <= getattr(self, name) <= MOST_WORDS, name, f"{least} to {MOST_WORDS}")

    @property
    def peak(self) -> int:
        """Binary operations per cycle: R * C * W."""
        return self.rows * self.cols * self.width

    @property
    def tile_pixels(self) -> int:
        """Pixels of a tile of the first layer: 1, 2 or R; so many multipliers a lane has for it."""
        return self.pixels or self.rows

    @property
    def lane_units(self) -> int:
        """Multipliers of a lane: one for each pixel of a tile, two where it sums means too."""
        return max(self.tile_pixels, 1 + self.means)

    @property
    def max_count(self) -> int:
        """Largest popcount sum an element can hold."""
        return formats.most_count(self.acc_bits)

    @property
    def field_bits(self) -> int:
        """Bits of a sum where several share an adder."""
        return formats.field_bits(self.acc_bits)

    def as_dict(self) -> dict[str, int]:
        """Plain dictionary, field order kept; of a core without a mover nothing of one."""
        out = dataclasses.asdict(self)
        if not self.block_depth:  # came later; cores of before have none
            del out["block_depth"], out["outside"]
        return out

    @property
    def digest(self) -> int:
        """32-bit fingerprint of configuration and instruction set; an image carries it."""
        facts = [
            formats.SHIFTS,
            formats.STATE_SHIFTS,
            formats.STATE_BITS,
            formats.STATE_MAX,
            formats.STATE_CELLS,
            formats.STATE_CELL_FINE,
        ]
        fields = self.as_dict()
        if fields["res_bits"] == MEMBRANE_BITS:  # came later; cores of before have no other
            del fields["res_bits"]
        text = json.dumps([fields, isa.fingerprint(bool(self.block_depth)), *facts], sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")

    def changed(self, text: str) -> "Config":
        """Return the configuration with what ``name=value,...`` says; the rest stays."""
        values = {}
        names = [f.name for f in dataclasses.fields(self)]
        for item in filter(None, text.split(",")):
            name, _, value = (part.strip() for part in item.partition("="))
            if name not in names:
                raise SpikeloomError(
                    f"core configuration has no field {name!r}; give NAME=VALUE,..., such as "
                    f"rows=8,width=64; fields are {', '.join(names)}"
                )
            if not value.isdecimal():
                raise SpikeloomError(
                    f"core configuration: {name} = {value!r} is no integer; give NAME=VALUE,..., "
                    "such as rows=8,width=64"
                )
            if name in values:
                raise SpikeloomError(
                    f"core configuration: {name} stands twice in {text!r}; give it once"
                )
            values[name] = int(value)
        return dataclasses.replace(self, **values)
