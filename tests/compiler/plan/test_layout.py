"""Layouts of spikes, tap packing, and the allocator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.arch.config import Config
from hw.arch.isa import Dest, Mod, Pack
from sw.compiler.plan.layout import (
    Allocator,
    Layout,
    ceil_div,
    channel_packed,
    choose_pack,
    head_packed,
    token_packed,
)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_allocator(requests):
    place, taken = Allocator(), []
    for size, a, b in requests:
        first, last = sorted((a, b))
        base = place.place(size, first, last, floor=3)
        assert base >= 3
        for other, end, f, n in taken:
            assert not (f <= last and first <= n and other < base + size and base < end)
        taken.append((base, base + size, first, last))
    assert place.top == max((t[1] for t in taken), default=0)


@pytest.mark.parametrize(
    ("config", "channels", "want"),
    [
        (Config(), 8, (Pack.TRIPLE, 1)),
        (Config(), 5, (Pack.TRIPLE, 1)),
        (Config(), 9, (Pack.PAIR, 2)),
        (Config(), 16, (Pack.PAIR, 2)),
        (Config(), 17, (Pack.NONE, 1)),
        (Config(width=64), 16, (Pack.TRIPLE, 2)),
        (Config(rows=8, cols=32, width=32), 20, (Pack.NONE, 1)),
        (Config(rows=8, cols=32, width=64), 20, (Pack.PAIR, 4)),
        (Config(rows=8, cols=64, width=128), 40, (Pack.PAIR, 8)),
        (Config(rows=16, cols=64, width=128), 40, (Pack.PAIR, 8)),
        (Config(rows=16), 8, (Pack.TRIPLE, 1)),
        (Config(rows=8, cols=32, width=128), 30, (Pack.TRIPLE, 4)),
    ],
)
def test_tap_packing(config, channels, want):
    assert choose_pack(config, channels) == want


def facts(layout, *names):
    return {name: getattr(layout, name) for name in names}


def test_ceil_div():
    assert [ceil_div(n, 4) for n in (0, 1, 4, 5, 8, 9)] == [0, 1, 1, 2, 2, 3]


def test_allocator_takes_the_lowest_free_base():
    place = Allocator()
    assert place.place(10, 0, 2) == 0
    assert place.place(5, 1, 3) == 10  # lives with the first
    assert place.place(10, 3, 3) == 0  # the first is over
    assert place.place(1, 2, 2, floor=12) == 15
    assert place.top == 16


def test_channel_packed():
    """70 channels in words of 32 bits, 3 steps, 5 x 9 tokens in groups of 4."""
    names = ("dest", "words", "group", "size", "flat", "line", "half", "memory")
    size = {"channels": 70, "height": 5, "width": 9}
    flat = channel_packed(Config(), 3, **size, flat=True)
    assert facts(flat, *names) == {
        "dest": Dest.ROW,
        "words": 3,
        "group": 9,
        "size": 12 * 9,  # 45 tokens
        "flat": True,
        "line": 0,
        "half": 0,
        "memory": "row",
    }
    grid = channel_packed(Config(), 3, **size, flat=False)
    assert facts(grid, "group", "size", "flat", "line", "half") == {
        "group": 9,
        "size": 5 * 3 * 9,  # 3 groups in an image row
        "flat": False,
        "line": 27,
        "half": 0,
    }
    split = channel_packed(Config(), 3, **size, flat=False, split=True)
    assert facts(split, "size", "line", "half") == {
        "size": 2 * 5 * 2 * 9,  # each plane: 2 groups of at most 5 columns
        "line": 18,
        "half": 90,
    }
    own = channel_packed(Config(), 1, **size, flat=True, position=np.arange(70) + 1, bits=128)
    assert (own.words, own.position.tolist()) == (4, list(range(1, 71)))
    taps = channel_packed(Config(), 1, **size, flat=False, pack=Pack.PAIR, slot=2)
    assert facts(taps, "dest", "pack", "slot") == {
        "dest": Dest.ROW_TAPS,
        "pack": Pack.PAIR,
        "slot": 2,
    }


def test_head_packed():
    """Each head's 40 channels in 2 words of their own."""
    names = ("dest", "words", "group", "size", "heads", "head_words", "memory")
    sizes = {"tokens": 18, "heads": 3, "channels": 40}
    row = head_packed(Config(), 2, dest=Dest.ROW, **sizes)
    wanted = {"dest": Dest.ROW, "words": 6, "group": 12, "heads": 3, "head_words": 2}
    assert facts(row, *names) == wanted | {"size": 5 * 12, "memory": "row"}  # groups of R = 4
    col = head_packed(Config(), 2, dest=Dest.COL_TOKEN, **sizes)
    assert facts(col, *names) == wanted | {  # of C = 16
        "dest": Dest.COL_TOKEN,
        "size": 2 * 12,
        "memory": "col",
    }


def test_token_packed():
    """18 tokens in a word, 33 in two; heads of 20 channels in column tiles of 16: 32 each."""
    names = ("words", "group", "size", "heads", "head_words", "memory")
    sizes = {"heads": 3, "head_width": 20}
    col = token_packed(Config(), 2, dest=Dest.COL_CHANNEL, tokens=33, **sizes)
    assert facts(col, *names) == {
        "words": 2,
        "group": 4,
        "size": 96 // 16 * 4,
        "heads": 3,
        "head_words": 0,
        "memory": "col",
    }
    row = token_packed(Config(), 2, dest=Dest.ROW_CHANNEL, tokens=18, **sizes)
    assert facts(row, *names) == {
        "words": 1,
        "group": 2,
        "size": 96 // 4 * 2,
        "heads": 3,
        "head_words": 0,
        "memory": "row",
    }


@pytest.mark.parametrize(
    ("dest", "more", "wanted"),
    [
        (Dest.ROW, {}, {"w_gs": 12, "w_mod": Mod.ROWS, "w_j": 1, "slots": 4, "head_align": 0}),
        (
            Dest.ROW,
            {"half": 99},
            {
                "w_gs": 12,
                "w_mod": Mod.PAIR,
                "w_j": 1,
                "slots": 4,
                "head_align": 0,
                "w_half": 99,
            },
        ),
        (
            Dest.COL_TOKEN,
            {"head_words": 2},
            {"w_gs": 12, "w_mod": Mod.COLS, "w_j": 1, "slots": 4, "head_align": 1},
        ),
        (Dest.COL_CHANNEL, {}, {"w_gs": 1, "w_mod": Mod.WORD, "w_j": 12, "slots": 1}),
        (
            Dest.ROW_CHANNEL,
            {},
            {"w_gs": 1, "w_mod": Mod.WORD, "w_j": 48, "slots": 1, "w_chan_gs": 12},
        ),
        (
            Dest.ROW_TAPS,
            {"pack": Pack.TRIPLE, "slot": 4},
            {
                "w_gs": 12,
                "w_mod": Mod.ROWS,
                "w_j": 1,
                "slots": 4,
                "head_align": 0,
                "w_pack": Pack.TRIPLE,
                "w_slot_log2": 2,
                "w_img_w": 21,
            },
        ),
    ],
)
def test_write_fields(dest, more, wanted):
    """On 4 rows x 16 columns x 64 bits: 4 slots a word, 4 groups of channels a column tile."""
    layout = Layout(dest=dest, words=3, group=12, size=120, **more)
    got = layout.write_fields(Config(width=64), 500, 21)
    assert got == {"dest": dest, "w_base": 500, "w_t": 3} | wanted
