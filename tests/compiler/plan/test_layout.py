"""Layouts of spikes, tap packing, and the allocator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.arch.config import Config
from hw.arch.isa import Pack
from sw.compiler.plan.layout import Allocator, choose_pack


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
