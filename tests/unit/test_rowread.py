"""RowRead against a plain reading of tokens from a numpy image."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from hw.arch import Config, timing
from hw.arch.isa import Pack
from hw.core.rowread import RowRead
from tests.unit.bench import Bench, timeline

CONFIGS = {
    "r4w32": Config(rows=4, cols=8, width=32),
    "r8w64": Config(rows=8, cols=8, width=64),
    "r4w128": Config(rows=4, cols=16, width=128),
}


@dataclass
class Reader:
    """A RowRead with R banks of memory (random at first, so that only masks hide what is wrong).

    ``word`` of (y, x, k) of the image is at bank x mod R, base + group * gs + k.
    """

    config: Config
    seed: int = 0
    bench: Bench = field(init=False)

    def __post_init__(self):
        self.bench = Bench(
            RowRead(self.config),
            ["word", "pack", "slot_bytes_log2", "gs", "data"],
            ["addr", "rows"],
        )

    def load(self, words, gs, base):
        """``words`` (h, w, n, W/8): bytes."""
        rng = np.random.default_rng(self.seed)
        self.words, self.gs, self.base = words, gs, base
        n, n_bytes = self.config.rows, self.config.width // 8
        self.memory = rng.integers(256, size=(n, 512, n_bytes), dtype=np.uint8)
        h, w, count = words.shape[:3]
        for y in range(h):
            for x in range(w):
                for k in range(count):
                    self.memory[x % n, self.addr(y, x, k)] = words[y, x, k]

    def addr(self, y, x, k):
        group = y * -(-self.words.shape[1] // self.config.rows) + x // self.config.rows
        return self.base + group * self.gs + k

    def read(self, accesses, pack=Pack.NONE, slot_log2=0):
        """Accesses (y, x tile, shift, dx, k, neg, valid and, if it is one, "edge") -> rows as
        issued, (count, R, W/8).
        """
        n, n_bytes = self.config.rows, self.config.width // 8
        h, w = self.words.shape[:2]
        stimulus = timeline(len(accesses) + timing.ROW_READ + n)
        for s in stimulus:
            s |= {"pack": int(pack), "slot_bytes_log2": slot_log2, "gs": self.gs}
        for t, (y, x, shift, dx, k, neg, valid, *edge) in enumerate(accesses):
            stimulus[t]["word"] = {
                "valid": valid,
                "row_addr": self.addr(min(max(y, 0), h - 1), x * n, k),
                "left": int(shift == -1),
                "right": int(shift == 1),
                "dx0": int(dx == 0),
                "y_ok": int(0 <= y < h),
                "x_zero": int(x == 0),
                "x_left": w - x * n,
                "neg": neg,
                "edge": len(edge),
            }

        arrives, later = [], timing.ROW_DATA - timing.ROW_ADDRESS  # of the memory

        def react(cycle, out):
            picked = [self.memory[b, out["addr"][b] % 512] for b in range(n)]
            arrives.append([int.from_bytes(v.tobytes(), "little") for v in picked])
            return {"data": arrives[-later]} if len(arrives) >= later else {}

        seen = self.bench.play(stimulus, react)
        got = np.zeros((len(accesses), n, n_bytes), np.uint8)
        for t in range(len(accesses)):
            for r in range(n):
                value = seen[t + timing.ROW_READ + r]["rows"][r]
                got[t, r] = np.frombuffer(value.to_bytes(n_bytes, "little"), np.uint8)
        return got


@pytest.fixture(scope="module", params=CONFIGS)
def reader(request):
    return Reader(CONFIGS[request.param])


def everywhere(rng, config, h, w, shifts, count):
    """Every (y with one row above and below, x tile, shift, word, plain and inverted), shuffled.

    A few words are invalid (tile_min idles there).
    """
    out = [
        (y, x, s, dx, k, neg, 1)
        for y in range(-1, h + 1)
        for x in range(-(-w // config.rows))
        for dx, s in enumerate(shifts)
        for k in range(count)
        for neg in (0, 1)
    ]
    rng.shuffle(out)
    out = out[:120]
    return [a if rng.random() < 0.9 else (*a[:-1], 0) for a in (tuple(map(int, a)) for a in out)]


@pytest.mark.parametrize("wide", [-1, 0, 1, 5], ids=lambda v: f"w{v:+d}")
def test_taps_of_unpacked_words(reader, wide):
    """Shifts -1, 0, +1 over images a column narrower to five wider than two tiles."""
    cfg = reader.config
    n, h, w = cfg.rows, 2, 2 * cfg.rows + wide
    rng = np.random.default_rng(w)
    reader.load(rng.integers(256, size=(h, w, 2, cfg.width // 8), dtype=np.uint8), gs=5, base=17)
    accesses = everywhere(rng, cfg, h, w, (-1, 0, 1), 2)
    want = np.zeros((len(accesses), n, cfg.width // 8), np.uint8)
    for t, (y, x, shift, _, k, neg, valid) in enumerate(accesses):
        for r in range(n):
            at = x * n + r
            if valid and at < w and 0 <= at + shift < w and 0 <= y < h:
                want[t, r] = reader.words[y, at + shift, k] ^ (255 if neg else 0)
    assert (reader.read(accesses) == want).all()


def test_image_narrower_than_a_tile(reader):
    """One column: both shifts read 0, whatever lies in the banks."""
    cfg = reader.config
    rng = np.random.default_rng(1)
    reader.load(rng.integers(256, size=(2, 1, 1, cfg.width // 8), dtype=np.uint8), gs=1, base=3)
    got = reader.read(
        [(0, 0, s, dx, 0, neg, 1) for dx, s in enumerate((-1, 0, 1)) for neg in (0, 1)]
    )
    assert not got[[0, 1, 4, 5]].any()
    assert not got[2:4, 1:].any()
    assert (got[2, 0] == reader.words[0, 0, 0]).all()
    assert (got[3, 0] == 255 - reader.words[0, 0, 0]).all()


@pytest.mark.parametrize("width", [1, 2, 5, 6, 7, 8, 9, 15, 16, 17])
def test_stride_on_split_columns(reader, width):
    """Taps -1, 0, 1 of every other column: odd plane shifted, even plane, odd plane.

    The odd plane of an odd width lacks a column; what lies there is garbage and must read 0. Words
    2 X (k = 0) and 2 X + 1 (k = 1) of the input are at group and bank of X.
    """
    cfg = reader.config
    n, h, out_w, n_bytes = cfg.rows, 2, -(-width // 2), cfg.width // 8
    rng = np.random.default_rng(width)
    reader.load(rng.integers(256, size=(h, out_w, 2, n_bytes), dtype=np.uint8), gs=7, base=9)
    taps = [(-1, 0, 1), (0, 1, 0), (0, 2, 1)]  # shift, dx, k
    accesses = [
        (y, x, *tap, neg, 1, *(["edge"] if tap[1] == 2 and width % 2 else []))
        for y in range(-1, h + 1)
        for x in range(-(-out_w // n))
        for tap in taps
        for neg in (0, 1)
    ]
    rng.shuffle(accesses)
    want = np.zeros((len(accesses), n, n_bytes), np.uint8)
    for t, (y, x, _, dx, _, neg, *_) in enumerate(accesses):
        for r in range(n):
            at = 2 * (x * n + r) + dx - 1  # input column
            if x * n + r < out_w and 0 <= at < width and 0 <= y < h:
                want[t, r] = reader.words[y, at // 2, at % 2] ^ (255 if neg else 0)
    assert (reader.read(accesses) == want).all()


def test_invalid_words_leave_addresses_unturned(reader):
    """A shortcut's word: all banks at the same address, nothing for the array."""
    reader.load(np.full((1, 9, 1, reader.config.width // 8), 255, np.uint8), gs=3, base=5)
    stimulus = timeline(12)
    for t, s in enumerate(stimulus):
        s |= {
            "gs": 3,
            "data": [(1 << reader.config.width) - 1] * reader.config.rows,
            "word": {
                "sc": 1,
                "row_addr": 100 + t,
                "y_ok": 1,
                "x_left": 40,
                "dx0": 1,
                "last": t & 1,
            },
        }
    seen = reader.bench.play(stimulus)
    for t, s in enumerate(seen[timing.ROW_ADDRESS :]):
        assert s["addr"] == [100 + t] * reader.config.rows
    assert not any(any(s["rows"]) for s in seen)


def sizes(config, slots):
    return [s for s in range(3) if slots << s <= config.width // 8]


@pytest.mark.parametrize("wide", [-1, 0, 2], ids=lambda v: f"w{v:+d}")
@pytest.mark.parametrize("pack", [Pack.TRIPLE, Pack.PAIR])
def test_packed_words(reader, pack, wide):
    """A word of token x holds x-1, x (and x+1); PAIR fetches x+1 with a second word.

    Slots beyond, and neighbours outside the image, hold garbage and must read 0.
    """
    cfg = reader.config
    n, h, w, n_bytes = cfg.rows, 3, cfg.rows + wide, cfg.width // 8
    triple = pack == Pack.TRIPLE
    for log2 in sizes(cfg, 3 if triple else 2):
        size = 1 << log2
        rng = np.random.default_rng(log2)
        tokens = rng.integers(256, size=(h, w, size), dtype=np.uint8)
        words = rng.integers(256, size=(h, w, 1, n_bytes), dtype=np.uint8)
        for x in range(w):
            for q in range(3 if triple else 2):
                if 0 <= x + q - 1 < w:
                    words[:, x, 0, q * size : (q + 1) * size] = tokens[:, x + q - 1]
        reader.load(words, gs=2, base=40)
        accesses = everywhere(rng, cfg, h, w, (0,) if triple else (0, 1), 1)
        want = np.zeros((len(accesses), n, n_bytes), np.uint8)
        for t, (y, x, shift, dx, _, neg, valid) in enumerate(accesses):
            slots = range(3) if triple else ((0, 1) if dx == 0 else (1,))
            for r in range(n):
                at = x * n + r
                for q in slots:
                    source = at + shift + q - 1
                    if valid and at < w and 0 <= y < h and 0 <= source < w:
                        want[t, r, q * size : (q + 1) * size] = tokens[y, source] ^ (
                            255 if neg else 0
                        )
        assert (reader.read(accesses, pack, log2) == want).all(), size
