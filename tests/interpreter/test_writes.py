"""Write-back: bank, address, bytes and cycle of every destination, one by one."""

import itertools

import numpy as np
import pytest

from hw.arch import timing
from hw.arch.config import Config
from hw.arch.isa import Dest, Mod, Pack, Step
from sim.interpreter.walk import ColumnTile, Tiles
from sim.interpreter.writes import (
    Packed,
    write_packed,
    write_pixels,
    write_transposed,
    write_windows,
)
from tests.interpreter.made import instruction, memories

COLUMN = ColumnTile(3, 5, 5, False, 1000, 0, 100, 1)


def packed(nb, r, slot=0, x=None, payload=None):
    """One event of each entry: two bytes of spikes, step 1 of two."""
    count = len(nb)
    if payload is None:
        payload = [[2 * n + 1, 2 * n + 2] for n in range(count)]
    return Packed(
        payload=np.array(payload, np.uint8),
        nb=np.array(nb),
        r=np.array(r),
        step=np.ones(count, int),
        cycle=np.arange(count) + 50,
        token=np.arange(count) + 70,
        x=np.array(x if x is not None else r),
        slot=slot,
        channel=80,
    )


def told(events, *names):
    return events[[*names]].tolist()


def test_rows_of_row_memory():
    """Bank n mod R, a group of R further on; the slot's bytes, and 0 beyond the first slot's."""
    m = memories()
    m.row[:] = 9
    i = instruction(dest=Dest.ROW, w_gs=20, w_t=7)
    write_packed(m, i, COLUMN, packed([4, 6, 6], [3, 1, 2]))
    found = m.recorded().row
    # tokens 7, 7 and 8; the last is in the next group
    assert told(found, "bank", "addr", "first", "count", "mask") == [
        (3, 100 + 20 + 7, 0, 2, 15),
        (3, 100 + 20 + 7, 0, 2, 15),
        (0, 100 + 40 + 7, 0, 2, 15),
    ]
    assert told(found, "cycle", "step", "head", "token", "channel") == [
        (50, 1, 3, 70, 80),
        (51, 1, 3, 71, 80),
        (52, 1, 3, 72, 80),
    ]
    assert m.row[3, 127].tolist() == [3, 4, 0, 0]
    write_packed(m, i, COLUMN, packed([4], [3], slot=1))
    assert m.row[3, 127].tolist() == [3, 4, 1, 2]
    assert (2, 0b1100) in told(m.recorded().row, "first", "mask")


def test_planes_of_even_and_odd_columns():
    m = memories()
    i = instruction(dest=Dest.ROW, w_mod=Mod.PAIR, w_gs=20, w_half=300)
    write_packed(m, i, COLUMN, packed([0, 0, 4, 4, 8], [2, 3, 2, 3, 1]))
    assert told(m.recorded().row, "bank", "addr") == [
        (1, 100),
        (1, 400),
        (3, 100),
        (3, 400),
        (0, 100 + 20 + 300),
    ]


def test_tokens_of_column_memory():
    m = memories()
    i = instruction(dest=Dest.COL_TOKEN, w_mod=Mod.COLS, w_gs=20)
    write_packed(m, i, COLUMN, packed([12, 16, 40], [3, 0, 2], slot=1))
    assert told(m.recorded().col, "bank", "addr", "first") == [
        (15, 100, 2),
        (0, 120, 2),
        (10, 140, 2),
    ]
    assert len(m.recorded().row) == 0


@pytest.mark.parametrize(
    ("pack", "taps"), [(Pack.TRIPLE, {-1: 2, 0: 1, 1: 0}), (Pack.PAIR, {0: 1, 1: 0})]
)
def test_taps_go_to_neighbours(pack, taps):
    """A pixel is the tap after the middle of its left neighbour, and before it of its right."""
    m = memories()
    i = instruction(dest=Dest.ROW_TAPS, w_gs=20, w_pack=pack, w_img_w=6)
    for nb, r, x in ((0, 0, 0), (0, 3, 3), (4, 1, 5)):
        m.row[:] = 0
        m.start_record(True)
        write_packed(m, i, COLUMN, packed([nb], [r], x=[x], payload=[[0xAB, 0xCD]]))
        wanted = set()
        for shift, tap in taps.items():
            if 0 <= x + shift < 6:
                n = nb % 4 + r + shift
                wanted.add((n % 4, 100 + 20 * (nb // 4 + n // 4), tap, 1, 1 << tap))
        found = m.recorded().row
        assert set(told(found, "bank", "addr", "first", "count", "mask")) == wanted
        assert sorted(m.row[m.row > 0].tolist()) == [0xAB] * len(wanted)


def test_wider_slots_of_taps():
    m = memories(Config(width=64))
    i = instruction(dest=Dest.ROW_TAPS, w_pack=Pack.TRIPLE, w_slot_log2=1, w_img_w=6)
    write_packed(m, i, COLUMN, packed([0], [1]))
    assert m.row[0, 100].tolist() == [0, 0, 0, 0, 1, 2, 0, 0]
    assert m.row[1, 100].tolist() == [0, 0, 1, 2, 0, 0, 0, 0]
    assert m.row[2, 100].tolist() == [1, 2, 0, 0, 0, 0, 0, 0]


def test_no_other_destination():
    with pytest.raises(AssertionError, match="PIX is no destination here"):
        write_packed(memories(), instruction(dest=Dest.PIX), COLUMN, packed([0], [0]))


@pytest.mark.parametrize("rows", [4, 8, 16])
@pytest.mark.parametrize("dest", [Dest.COL_CHANNEL, Dest.ROW_CHANNEL])
def test_token_packed(rows, dest):
    """40 tokens of 16 channels, a bit each: 32 in the first word, 8 in the second."""
    config = Config(rows=rows)
    m = memories(config)
    fields = {"w_gs": 1, "w_t": 2, "w_mod": Mod.WORD, "w_chan_gs": 50}
    count = -(-40 // rows)
    i = instruction(dest=dest, n_x=count, n_t=2, img_w=40, flat=1, **fields)
    tiles = Tiles(i, rows)
    token = (tiles.x * rows)[:, None] + np.arange(rows)
    spikes = np.random.default_rng(rows).random((tiles.count, rows, 16)) < 0.5
    spikes &= (token < 40)[..., None]
    write_transposed(m, i, tiles, COLUMN, spikes, token)
    memory = m.col if dest == Dest.COL_CHANNEL else m.row
    for step, channel in itertools.product(range(2), range(16)):
        if dest == Dest.COL_CHANNEL:
            bank, base = channel, 100 + 2 * step
        else:
            bank, base = channel % rows, 100 + 2 * step + 50 * (channel // rows)
        got = np.unpackbits(memory[bank, base : base + 2].ravel(), bitorder="little")
        mine = spikes[tiles.t == step][..., channel].ravel()[:40]
        assert got[:40].tolist() == mine.astype(int).tolist()
        assert not got[40:].any()
    found = getattr(m.recorded(), "col" if dest == Dest.COL_CHANNEL else "row")
    each = 16 if rows == 16 else 8
    first = found[(found["step"] == 1) & (found["channel"] == 80 + 9)]
    assert set(first["count"].tolist()) == {each // 8}
    assert set((first["token"] % each).tolist()) == {0}
    tau = 1000 + tiles.tau[1] + timing.write_cycle(config)  # the first tile of step 1
    late = rows - 1 if dest == Dest.COL_CHANNEL else rows + 9 // rows
    assert first["cycle"].min() == tau + late


def test_pixels():
    """x of lane n to the n-th word from the destination."""
    m = memories()
    i = instruction(dest=Dest.PIX, n_x=2, n_y=1, n_t=3, img_w=8, w_gs=200, w_t=30)
    tiles = Tiles(i, 4)
    value = np.arange(6 * 16).reshape(6, 16) - 40
    write_pixels(m, i, tiles, COLUMN, value, {"token": np.arange(6)[:, None]})
    for n, lane in itertools.product(range(6), range(16)):
        x, t = divmod(n, 3)
        assert m.pix[100 + 200 * x + 30 * t + lane] == value[n, lane]
    found = m.recorded().pix
    one = found[(found["token"] == 4) & (found["channel"] == 80 + 6)]
    tau = 1000 + tiles.tau[4] + timing.write_cycle(m.config)
    assert one[["cycle", "addr", "value", "head"]].tolist() == [
        (tau + 6, 100 + 200 + 30 + 6, value[4, 6], 3)
    ]


def test_pixels_past_the_memory_are_a_defect():
    m = memories(Config(pix_depth=100))
    i = instruction(dest=Dest.PIX, img_w=4)
    with pytest.raises(AssertionError, match="leaves the pixel memory"):
        write_pixels(m, i, Tiles(i, 4), COLUMN, np.zeros((1, 16), int), {})


def windows(config=None, spikes=None, **fields):
    """Writes of a pooled image of 3 rows of 5 tokens, two steps."""
    m = memories(config)
    shape = {"n_x": 2, "n_y": 3, "n_t": 2, "img_w": 5, "n_step": Step.HALF, "pool": 1}
    i = instruction(dest=Dest.ROW, w_gs=20, w_t=7, tile_min=4, **shape | fields)
    tiles = Tiles(i, 4)
    if spikes is None:
        spikes = np.zeros((tiles.count, 4, 16), bool)
    write_windows(m, i, tiles, COLUMN, spikes)
    return m.recorded().row


def test_windows_are_written_with_their_odd_rows():
    """Of image rows 1 and 2, three windows each, at the second of their two tokens' cycles."""
    found = windows()
    at = [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0), (2, 0, 1), (2, 1, 0)]
    wanted = []
    for y, x, half in at:
        for t in range(2):
            tau = (y * 4 + x * 2 + t) * 4  # from the first tile's; tiles of four cycles
            cycle = COLUMN.tau + tau + timing.write_cycle(Config()) + 2 * half + 1
            n = 4 * (y // 2) + 2 * x + half
            token = (y // 2) * 3 + 2 * x + half
            wanted.append((cycle, n % 4, 100 + 20 * (n // 4) + 7 * t, t, token))
    assert told(found, "cycle", "bank", "addr", "step", "token") == sorted(wanted)


def test_a_window_has_the_spikes_of_nine_tokens():
    """Each token of the image alone, step 1: it is in the windows that cover it, once or more."""
    for y, x in itertools.product(range(3), range(5)):
        spikes = np.zeros((3, 2, 2, 4, 16), bool)
        spikes[y, x // 4, 1, x % 4, 9] = True
        found = windows(spikes=spikes.reshape(-1, 4, 16))
        hit = {int(e["token"]) for e in found if e["data"].any()}
        assert all(e["data"][3] == 2 for e in found if e["data"].any())  # slot 1, bit 9 - 8
        assert {int(e["step"]) for e in found if e["data"].any()} == {1}
        assert hit == {
            3 * v + u
            for v, u in itertools.product(range(2), range(3))
            if abs(2 * v - y) <= 1 and abs(2 * u - x) <= 1
        }


def test_a_line_must_hold_an_image_row():
    windows(Config(pool_depth=8))
    with pytest.raises(AssertionError, match="leaves the line of the pool"):
        windows(Config(pool_depth=7))
