"""Where the bits of a spike tensor are in row and column memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hw.arch.config import Config
from hw.arch.isa import SLOT_BYTES, Dest, Mod, Pack


def ceil_div(a: int, b: int) -> int:
    """Return a / b rounded up."""
    return -(-a // b)


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Layout of one spike tensor; addresses are relative to its region.

    Channel-packed: ``group * group_stride + t * words + word``; with heads, head h starts at word
    ``h * head_words``. Token-packed: ``group`` counts channels (R or C of them per group).
    """

    dest: Dest
    words: int  #: Words per token and step (token-packed: per channel and step).
    group: int  #: Address distance between groups.
    size: int
    flat: bool = True
    heads: int = 1
    head_words: int = 0  #: Words per head and token where every head starts a new word, else 0.
    pack: Pack = Pack.NONE
    slot: int = 1  #: Bytes per tap slot.
    position: np.ndarray | None = None  #: Bit of each channel in a token's words; None: identity.
    line: int = 0  #: Address distance between image rows; 0: tokens are numbered without gaps.
    half: int = 0  #: Split: address distance from even to odd columns, else 0.

    @property
    def memory(self) -> str:
        """Name of the memory it lies in."""
        return "col" if self.dest in (Dest.COL_TOKEN, Dest.COL_CHANNEL) else "row"

    def write_fields(self, config: Config, base: int, img_w: int) -> dict[str, int]:
        """Return the instruction fields that write this layout at ``base``."""
        out = {"dest": self.dest, "w_base": base, "w_t": self.words, "slots": 1}
        if self.dest in (Dest.COL_CHANNEL, Dest.ROW_CHANNEL):
            out |= {"w_gs": 1, "w_mod": Mod.WORD, "w_j": self.group}
            if self.dest == Dest.ROW_CHANNEL:
                out |= {"w_j": self.group * (config.cols // config.rows), "w_chan_gs": self.group}
            return out
        out |= {
            "w_gs": self.group,
            "w_mod": Mod.COLS if self.dest == Dest.COL_TOKEN else Mod.ROWS,
            "w_j": 1,
            "slots": config.width // config.cols,
            "head_align": int(self.head_words > 0),
        }
        if self.half:
            out |= {"w_mod": Mod.PAIR, "w_half": self.half}
        if self.dest == Dest.ROW_TAPS:
            out |= {
                "w_pack": self.pack,
                "w_slot_log2": self.slot.bit_length() - 1,
                "w_img_w": img_w,
            }
        return out


def channel_packed(
    config: Config,
    steps: int,
    *,
    channels: int,
    height: int,
    width: int,
    flat: bool,
    split: bool = False,
    pack: Pack = Pack.NONE,
    slot: int = 1,
    position: np.ndarray | None = None,
    bits: int = 0,
) -> Layout:
    """Return the layout of an image's spikes in row memory.

    ``split``: even and odd columns in planes of their own, each as without it.
    """
    words = ceil_div(bits or channels, config.width)
    group = steps * words
    across = ceil_div(width, config.rows * (2 if split else 1))
    size = group * (ceil_div(height * width, config.rows) if flat else height * across)
    dest = Dest.ROW if pack == Pack.NONE else Dest.ROW_TAPS
    return Layout(
        dest=dest,
        words=words,
        group=group,
        size=2 * size if split else size,
        flat=flat,
        pack=pack,
        slot=slot,
        position=position,
        line=0 if flat else across * group,
        half=size if split else 0,
    )


def head_packed(
    config: Config, steps: int, *, dest: Dest, tokens: int, heads: int, channels: int
) -> Layout:
    """Return the layout of per-head operands, channel-packed, each head in words of its own."""
    head_words = ceil_div(channels, config.width)
    words = heads * head_words
    per = config.cols if dest == Dest.COL_TOKEN else config.rows
    return Layout(
        dest=dest,
        words=words,
        group=steps * words,
        heads=heads,
        head_words=head_words,
        size=ceil_div(tokens, per) * steps * words,
    )


def token_packed(
    config: Config, steps: int, *, dest: Dest, tokens: int, heads: int, head_width: int
) -> Layout:
    """Return the layout of per-head operands, token-packed, heads padded to column tiles."""
    words = ceil_div(tokens, config.width)
    padded = heads * ceil_div(head_width, config.cols) * config.cols
    per = config.cols if dest == Dest.COL_CHANNEL else config.rows
    return Layout(
        dest=dest, words=words, group=steps * words, heads=heads, size=padded // per * steps * words
    )


def choose_pack(config: Config, channels: int) -> tuple[Pack, int]:
    """Return the tap packing with the shortest tiles, and its bytes per slot."""
    slot = next((b for b in SLOT_BYTES if 8 * b >= channels), 0)
    options = [(9, Pack.NONE, 1)]
    if slot and channels <= config.cols:
        if 3 * slot * 8 <= config.width:
            options.append((3, Pack.TRIPLE, slot))
        elif 2 * slot * 8 <= config.width:
            options.append((6, Pack.PAIR, slot))
    _, pack, slot = min(options, key=lambda o: (max(o[0], config.rows), o[0]))
    return pack, slot


@dataclass(frozen=True)
class Tenant:
    """What lies in a memory from one layer to another."""

    name: str
    size: int  #: Words of each bank.
    first: int  #: Index of the layer that writes it,
    last: int  #: and of the last one that needs it.


def place(tenants: Sequence[Tenant], floor: int, depth: int) -> tuple[dict[str, int], int]:
    """Return the base of each tenant, by name, and how deep the memory must be.

    In their order, each as low as there is room from ``floor`` on; where ``depth`` words do not
    hold that, or by another order if it needs fewer: the large ones first, or those that stay long.
    """
    orders: tuple[Callable[[Tenant], Any], ...] = (
        lambda t: 0,
        lambda t: -t.size,
        lambda t: -t.size * (t.last - t.first + 1),
        lambda t: (-(t.last - t.first), -t.size),
    )
    best: tuple[dict[str, int], int] | None = None
    for order in orders:
        memory = Allocator()
        bases = {
            t.name: memory.place(t.size, t.first, t.last, floor) for t in sorted(tenants, key=order)
        }
        top = max(memory.top, floor)
        if best is None or top < best[1]:
            best = bases, top
        if best[1] <= depth:
            break
    assert best is not None
    return best


class Allocator:
    """First fit over address space and time."""

    def __init__(self) -> None:
        """Start with everything free."""
        self._taken: list[tuple[int, int, int, int]] = []  # (base, end, first, last)
        self.top = 0

    def place(self, size: int, first: int, last: int, floor: int = 0) -> int:
        """Return the lowest base where ``size`` words are free from ``first`` to ``last``."""
        base = floor
        for b, end, f, n in sorted(self._taken):
            if f <= last and first <= n and base < end and b < base + size:
                base = end
        self._taken.append((base, base + size, first, last))
        self.top = max(self.top, base + size)
        return base
