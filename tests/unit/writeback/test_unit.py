"""WriteBack: bank, address, bytes and cycle of every write, for each destination.

The tag comes three cycles before the first write (tau + write_cycle); offsets are the table of
"Cycles of writes" in ``docs/architecture/core.md``.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from hw.arch import Config
from hw.arch.isa import SLOT_BYTES, Dest, Pack
from hw.arch.memmap import Mem
from hw.arch.timing import STATE_GAP, mean_row
from hw.core.writeback.unit import WriteBack
from sw.network.layers.pool import pool3x3
from tests.unit.bench import Bench, timeline

CONFIGS = {
    "r4c8w32": Config(rows=4, cols=8, width=32),
    "r4c16w64": Config(rows=4, cols=16, width=64),
    "r8c16w32": Config(rows=8, cols=16, width=32),
    "r16c16w32": Config(rows=16, cols=16, width=32),
}
WRITE = 3  #: First write, from the tag: tau + write_cycle.
OUTPUTS = [f"{m}_{f}" for m in ("row", "col") for f in ("en", "addr", "data")]


@dataclass(frozen=True, order=True)
class Write:
    """One write; ``data`` are the enabled bytes in place, others 0."""

    cycle: int
    memory: str
    bank: int
    addr: int
    mask: int  #: Byte enables; pixel memory: 1.
    data: int


def spread_mask(mask):
    return sum(0xFF << (8 * b) for b in range(mask.bit_length()) if mask >> b & 1)


def slot_write(cycle, memory, bank, addr, first, size, value, config, extend=True):
    """``size`` bytes at byte ``first``; at byte 0 the whole word (zero extension)."""
    mask = ((1 << size) - 1) << first
    if extend and first == 0:
        mask = (1 << (config.width // 8)) - 1
    return Write(cycle, memory, bank, addr & 0xFFFF, mask, value << (8 * first))


class Unit:
    """Plays tiles and returns writes."""

    def __init__(self, config):
        self.config = config
        self.bench = Bench(
            WriteBack(config),
            ["mode", "load", "begin", "mean_base", "tag", "spikes", "pooled", "x"],
            [*OUTPUTS, "pix_en", "pix_addr", "pix_data"],
        )

    def run(self, mode, tiles, key, values, period, gap=1):
        """Tile n's tag at n * period; ``values[n][e]`` on port ``key`` e * gap + 2 cycles after.

        Other data ports, and mode fields of no meaning, stay as given or 0; the port carries ones
        where nothing is due.
        """
        cycles = (len(tiles) + 1) * period + self.config.cols + self.config.rows + WRITE + 20
        stimulus = timeline(cycles)
        for s in stimulus:
            s["mode"] = {"lanes": self.config.cols, **mode}
            s[key] = -1
        for n, (tag, data) in enumerate(zip(tiles, values, strict=True)):
            stimulus[n * period]["tag"] = {"valid": 1, "n_valid": self.config.rows, **tag}
            for e, v in enumerate(data):
                stimulus[n * period + WRITE - 1 + e * gap][key] = v
        return self.writes(stimulus)

    def writes(self, stimulus):
        """Play; return the writes."""
        out = []
        for cycle, s in enumerate(self.bench.play(stimulus)):
            for memory in ("row", "col"):
                for bank, mask in enumerate(s[f"{memory}_en"]):
                    if mask:
                        data = s[f"{memory}_data"][bank] & spread_mask(mask)
                        out.append(
                            Write(cycle, memory, bank, s[f"{memory}_addr"][bank], mask, data)
                        )
            if s["pix_en"]:
                out.append(Write(cycle, "pix", 0, s["pix_addr"], 1, s["pix_data"]))
        return sorted(out)


@pytest.fixture(scope="module", params=CONFIGS)
def unit(request):
    return Unit(CONFIGS[request.param])


@pytest.mark.parametrize("dest", Dest)
@pytest.mark.parametrize("pool", [0, 1])
def test_loads(unit, dest, pool):
    """A load is written a cycle later, to its part of its bank alone, whatever ran before."""
    c, rng = unit.config, np.random.default_rng(int(dest))
    stimulus, want = timeline(120), []
    for row in stimulus:
        mode = {"dest": int(dest), "pool": pool, "pack": 2, "img_w": 9}
        row |= {"mode": mode, "spikes": -1, "pooled": -1, "x": 77}
    places = {Mem.ROW: ("row", c.rows), Mem.COL: ("col", c.cols)}
    for cycle in range(0, 118):
        mem = Mem(int(rng.choice([Mem.ROW, Mem.COL, Mem.PIX, Mem.PROG, Mem.CTRL])))
        name, banks = places.get(mem, ("pix", 1))
        bank = int(rng.integers(banks if rng.random() < 0.7 else 128))
        word, value = int(rng.integers(1 << 16)), int(rng.integers(1 << 32))
        part, valid = int(rng.integers(2 * c.width // 32)), int(rng.random() < 0.8)
        load = {"word": word, "part": part, "bank": bank, "mem": int(mem)}
        stimulus[cycle]["load"] = load | {"data": value, "valid": valid}
        if not valid:
            continue
        if mem == Mem.PIX:
            x = value % (1 << 18)
            want.append(Write(cycle + 1, "pix", 0, word, 1, x - (x >> 17 << 18)))
        elif mem in places and bank < banks and part < c.width // 32:
            want.append(Write(cycle + 1, name, bank, word, 15 << 4 * part, value << 32 * part))
    assert unit.writes(stimulus) == sorted(want)


def draw(rng, config, tiles, count):
    """Spikes of ``count`` events of each tile, C bits each."""
    rows = rng.integers(256, size=(tiles, count, config.cols // 8), dtype=np.uint8)
    return [[int.from_bytes(bits.tobytes(), "little") for bits in tile] for tile in rows]


def test_nothing_comes_of_none(unit):
    c, rng = unit.config, np.random.default_rng(0)
    tiles = [{"addr": 5, "nb": n * c.rows} for n in range(3)]
    data = draw(rng, c, 3, c.rows)
    assert unit.run({"dest": int(Dest.NONE)}, tiles, "spikes", data, c.rows) == []


def packed_tiles(rng, config, aligned):
    """Tags of tiles with every slot, token counters, partial tiles and the last column tile."""
    slots = config.width // config.cols
    for n in range(14):
        nb = int(rng.integers(200))
        yield {
            "addr": int(rng.integers(1 << 16)),
            "slot": n % slots,
            "nb": nb // config.rows * config.rows if aligned else nb,
            "n_valid": int(rng.integers(1, config.rows + 1)) if n % 3 else config.rows,
            "final": n & 1,
        }


@pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "carry"])
def test_row(unit, aligned):
    """Slots of channel-packed words; slot 0 extends with zeros; tokens past a group carry."""
    c, rng = unit.config, np.random.default_rng(1)
    tiles = list(packed_tiles(rng, c, aligned))
    data = draw(rng, c, len(tiles), c.rows)
    gs, lanes, size = 37, c.cols - 3, c.cols // 8
    got = unit.run({"dest": int(Dest.ROW), "gs": gs, "lanes": lanes}, tiles, "spikes", data, c.rows)
    want = []
    for n, (tag, spikes) in enumerate(zip(tiles, data, strict=True)):
        for r in range(tag["n_valid"]):
            value = spikes[r] & ((1 << lanes) - 1) if tag["final"] else spikes[r]
            carry = gs if tag["nb"] % c.rows + r >= c.rows else 0
            want.append(
                slot_write(
                    n * c.rows + WRITE + r,
                    "row",
                    (tag["nb"] + r) % c.rows,
                    tag["addr"] + carry,
                    tag["slot"] * size,
                    size,
                    value,
                    c,
                )
            )
    assert got == sorted(want)


def test_col_token(unit):
    """Keys: bank n mod C, one address for the whole tile."""
    c, rng = unit.config, np.random.default_rng(2)
    tiles = list(packed_tiles(rng, c, True))
    data = draw(rng, c, len(tiles), c.rows)
    size = c.cols // 8
    got = unit.run(
        {"dest": int(Dest.COL_TOKEN), "gs": 99, "lanes": 1}, tiles, "spikes", data, c.rows
    )
    want = []
    for n, (tag, spikes) in enumerate(zip(tiles, data, strict=True)):
        for r in range(tag["n_valid"]):
            value = spikes[r] & 1 if tag["final"] else spikes[r]
            want.append(
                slot_write(
                    n * c.rows + WRITE + r,
                    "col",
                    (tag["nb"] + r) % c.cols,
                    tag["addr"],
                    tag["slot"] * size,
                    size,
                    value,
                    c,
                )
            )
    assert got == sorted(want)


def tap_writes(c, cycle, tag, r, value, log2, pack, img_w, gs):
    """The writer of token x writes its slice for readers at x-1 (slot 2), x (1) and x+1 (0)."""
    size, x = 1 << log2, tag["x_out"] + r
    for d, q in ((-1, 2), (0, 1), (1, 0)):
        if not 0 <= x + d < img_w or (q == 2 and pack == Pack.PAIR):
            continue
        at = tag["nb"] % c.rows + r + d
        yield slot_write(
            cycle,
            "row",
            at % c.rows,
            tag["addr"] + gs * (at // c.rows),
            q * size,
            size,
            value & ((1 << 8 * size) - 1),
            c,
            extend=False,
        )


@pytest.mark.parametrize("pack", [Pack.PAIR, Pack.TRIPLE])
def test_row_taps(unit, pack):
    """Image rows of several widths: edges, neighbours in the groups before and after."""
    check_row_taps(unit, pack)


def test_row_taps_of_the_widest_slots():
    """Slots of eight bytes exist on 64 columns alone."""
    unit = Unit(Config(rows=8, cols=64, width=128))
    assert check_row_taps(unit, Pack.PAIR) == [0, 1, 2, 3]


def check_row_taps(unit, pack):
    c, rng = unit.config, np.random.default_rng(3)
    gs, slots, done = 23, 3 if pack == Pack.TRIPLE else 2, []
    for log2 in range(len(SLOT_BYTES)):
        done.append(log2)
        if (1 << log2) > c.cols // 8 or slots << log2 > c.width // 8:
            done.pop()
            continue
        for img_w in (1, c.rows - 1, c.rows, 2 * c.rows + 1):
            tiles = [
                {
                    "addr": int(rng.integers(1 << 16)),
                    "nb": (y * -(-img_w // c.rows) + x) * c.rows,
                    "x_out": x * c.rows,
                    "n_valid": min(c.rows, img_w - x * c.rows),
                }
                for y in range(2)
                for x in range(-(-img_w // c.rows))
            ]
            data = draw(rng, c, len(tiles), c.rows)
            got = unit.run(
                {
                    "dest": int(Dest.ROW_TAPS),
                    "gs": gs,
                    "pack": int(pack),
                    "slot_log2": log2,
                    "img_w": img_w,
                },
                tiles,
                "spikes",
                data,
                c.rows,
            )
            want = [
                w
                for n, tag in enumerate(tiles)
                for r in range(tag["n_valid"])
                for w in tap_writes(
                    c, n * c.rows + WRITE + r, tag, r, data[n][r], log2, pack, img_w, gs
                )
            ]
            assert got == sorted(want), (log2, img_w)
    return done


def token_packed(c, tiles, data, lanes):
    """Pieces per tile: (tile, byte, [value of each lane], size)."""
    kept = {}
    for n, (tag, spikes) in enumerate(zip(tiles, data, strict=True)):
        mask = (1 << lanes) - 1 if tag["final"] else -1
        bits = [
            sum(((spikes[r] & mask) >> lane & 1) << r for r in range(tag["n_valid"]))
            for lane in range(c.cols)
        ]
        first = tag["nb"] % c.width // 8
        if c.rows == 4 and tag["nb"] % 8:
            bits = [k | b << 4 for k, b in zip(kept[tag["t"]], bits, strict=True)]
        elif c.rows == 4:
            kept[tag["t"]] = bits
        yield n, first, bits, max(1, c.rows // 8)


def token_tiles(rng, c):
    """Tiles of two words of tokens, t innermost, the last one not full; addresses at random."""
    count = 2 * c.width // c.rows - 1
    steps = 2
    return [
        {
            "addr": int(rng.integers(1 << 16)),
            "nb": x * c.rows,
            "t": t,
            "final": final,
            "n_valid": c.rows if x < count - 1 else c.rows - 1,
        }
        for final in (0, 1)
        for x in range(count)
        for t in range(steps)
    ]


def test_col_channel(unit):
    """Bank = lane, one write with row R-1; R = 4 keeps the even tile's half for the odd one."""
    c, rng = unit.config, np.random.default_rng(4)
    tiles, lanes = token_tiles(rng, c), c.cols - 1
    data = draw(rng, c, len(tiles), c.rows)
    got = unit.run({"dest": int(Dest.COL_CHANNEL), "lanes": lanes}, tiles, "spikes", data, c.rows)
    want = [
        slot_write(
            n * c.rows + WRITE + c.rows - 1,
            "col",
            lane,
            tiles[n]["addr"],
            first,
            size,
            bits[lane],
            c,
        )
        for n, first, bits, size in token_packed(c, tiles, data, lanes)
        for lane in range(c.cols)
    ]
    assert got == sorted(want)


def test_row_channel(unit):
    """Bank = channel mod R: a burst of C / R cycles after row R-1, tiles back to back."""
    c, rng = unit.config, np.random.default_rng(5)
    tiles, lanes, gs = token_tiles(rng, c), c.cols - 1, 45
    data = draw(rng, c, len(tiles), c.rows)
    got = unit.run(
        {"dest": int(Dest.ROW_CHANNEL), "lanes": lanes, "chan_gs": gs},
        tiles,
        "spikes",
        data,
        c.rows,
    )
    want = [
        slot_write(
            n * c.rows + WRITE + c.rows + lane // c.rows,
            "row",
            lane % c.rows,
            tiles[n]["addr"] + lane // c.rows * gs,
            first,
            size,
            bits[lane],
            c,
        )
        for n, first, bits, size in token_packed(c, tiles, data, lanes)
        for lane in range(c.cols)
    ]
    assert got == sorted(want)


def test_pix(unit):
    """x of lane c in cycle c, to consecutive words; tiles C cycles apart."""
    c, rng = unit.config, np.random.default_rng(6)
    tiles = [{"addr": int(rng.integers(1 << 16)), "n_valid": 1} for _ in range(4)]
    tiles[0]["addr"] = 0xFFFF - 2  # wraps
    data = rng.integers(-1 << 17, 1 << 17, size=(4, c.cols)).tolist()
    got = unit.run({"dest": int(Dest.PIX)}, tiles, "x", data, c.cols)
    want = [
        Write(n * c.cols + WRITE + lane, "pix", 0, (tag["addr"] + lane) & 0xFFFF, 1, x)
        for n, tag in enumerate(tiles)
        for lane, x in enumerate(data[n])
    ]
    assert got == sorted(want)


def split_place(c, base, gs, half, width, y, x):
    """Bank and address of column x of image row y in the split layout."""
    group = y * -(-width // (2 * c.rows)) + x // (2 * c.rows)
    return x // 2 % c.rows, base + group * gs + (half if x % 2 else 0)


def split_token(c, width, y, x):
    """Token counter: image rows are padded to a multiple of 2R tokens."""
    return y * -(-width // (2 * c.rows)) * 2 * c.rows + x


def widths(c):
    n = c.rows
    return [1, n, n + 1, 2 * n - 1, 2 * n, 3 * n + 2]


@pytest.mark.parametrize("slot", [0, 1])
def test_row_split(unit, slot):
    """Tiles of R tokens: even columns in one plane, odd ones ``half`` words on; any width."""
    c, rng = unit.config, np.random.default_rng(10)
    base, gs, half, size = 0xFF00, 37, 700, c.cols // 8
    for width in widths(c):
        at = [(y, x) for y in range(2) for x in range(0, width, c.rows)]
        tiles = []
        for y, x in at:
            nb = split_token(c, width, y, x)
            tiles.append(
                {
                    "addr": base + nb // (2 * c.rows) * gs & 0xFFFF,
                    "nb": nb & 255,
                    "slot": slot,
                    "n_valid": min(c.rows, width - x),
                    "x_out": x,
                }
            )
        data = draw(rng, c, len(tiles), c.rows)
        got = unit.run(
            {"dest": int(Dest.ROW), "gs": gs, "split": 1, "half": half},
            tiles,
            "spikes",
            data,
            c.rows,
        )
        want = []
        for n, (y, x) in enumerate(at):
            for r in range(tiles[n]["n_valid"]):
                bank, addr = split_place(c, base, gs, half, width, y, x + r)
                want.append(
                    slot_write(
                        n * c.rows + WRITE + r, "row", bank, addr, slot * size, size, data[n][r], c
                    )
                )
        assert got == sorted(want), width


@pytest.mark.parametrize(("steps", "slow"), [(1, 0), (3, 0), (2, 1)])
def test_row_split_of_single_tokens(unit, steps, slow):
    """Tiles of one token (MAC) with all its steps, each at its own address."""
    c, rng = unit.config, np.random.default_rng(11)
    base, gs, half, t, size = 100, 9, 5000, 300, c.cols // 8
    gap = STATE_GAP if slow else 1
    for width in (1, c.rows + 1, 2 * c.rows + 3)[: 2 if c.rows == 16 or steps > 1 else 3]:
        at = [(y, x) for y in range(2) for x in range(width)]
        tiles = []
        for y, x in at:
            nb = split_token(c, width, y, x)
            tiles.append(
                {"addr": base + nb // (2 * c.rows) * gs, "nb": nb & 255, "n_valid": 1, "x_out": x}
            )
        data = draw(rng, c, len(tiles), steps)
        got = unit.run(
            {
                "dest": int(Dest.ROW),
                "gs": gs,
                "split": 1,
                "half": half,
                "mac": 1,
                "passes": steps - 1,
                "t": t,
                "slow": slow,
            },
            tiles,
            "spikes",
            data,
            steps * gap,
            gap,
        )
        want = []
        for n, (y, x) in enumerate(at):
            for s in range(steps):
                bank, addr = split_place(c, base, gs, half, width, y, x)
                want.append(
                    slot_write(
                        n * steps * gap + WRITE + s * gap,
                        "row",
                        bank,
                        addr + s * t,
                        0,
                        size,
                        data[n][s],
                        c,
                    )
                )
        assert got == sorted(want), width


def test_slow_is_for_passes_alone(unit):
    """A GEMM with codes: its rows come every cycle, whatever ``slow`` says."""
    c, rng = unit.config, np.random.default_rng(12)
    tiles = [{"addr": 7 * n, "nb": n * c.rows, "slot": 0} for n in range(5)]
    data = draw(rng, c, 5, c.rows)
    mode = {"dest": int(Dest.ROW), "gs": 3}
    got = [unit.run({**mode, "slow": slow}, tiles, "spikes", data, c.rows + 1) for slow in (0, 1)]
    assert got[0] == got[1]
    assert len(got[0]) == 5 * c.rows


@pytest.mark.parametrize("dest", [Dest.ROW, Dest.ROW_TAPS, Dest.COL_TOKEN])
@pytest.mark.parametrize(("steps", "slow"), [(1, 0), (5, 0), (16, 0), (1, 1), (4, 1)])
def test_spread(unit, dest, steps, slow):
    """One token, one step a cycle (slow: every STATE_GAP cycles), addresses w_t apart."""
    c, rng, gap = unit.config, np.random.default_rng(7), STATE_GAP if slow else 1
    gs, t, img_w, size = 11, 300, 3 if slow else 6, c.cols // 8
    tiles = [{"addr": 1000 * x, "nb": x, "x_out": x, "n_valid": 1, "slot": 0} for x in range(img_w)]
    data = draw(rng, c, img_w, steps)
    got = unit.run(
        {
            "dest": int(dest),
            "gs": gs,
            "mac": 1,
            "passes": steps - 1,
            "t": t,
            "pack": int(Pack.TRIPLE),
            "img_w": img_w,
            "slow": slow,
        },
        tiles,
        "spikes",
        data,
        steps * gap,
        gap,
    )
    want = []
    for n, tag in enumerate(tiles):
        for s in range(steps):
            cycle = (n * steps + s) * gap + WRITE
            here = {**tag, "addr": tag["addr"] + s * t}
            if dest == Dest.ROW_TAPS:
                want += tap_writes(c, cycle, here, 0, data[n][s], 0, Pack.TRIPLE, img_w, gs)
            else:
                name, banks = ("row", c.rows) if dest == Dest.ROW else ("col", c.cols)
                want.append(
                    slot_write(cycle, name, n % banks, here["addr"], 0, size, data[n][s], c)
                )
    assert got == sorted(want)


@pytest.mark.parametrize("dest", [Dest.ROW, Dest.ROW_TAPS])
@pytest.mark.parametrize(("steps", "slow"), [(1, 0), (3, 0), (1, 1), (3, 1)])
def test_passes_through_several_pixels(unit, dest, steps, slow):
    """Tiles of several pixels, the last of an image row narrower; each step goes through all."""
    c, rng = unit.config, np.random.default_rng(13)
    gs, t, size = 11, 300, c.cols // 8
    for pixels in {2, c.rows // 2, c.rows}:
        gap = max(pixels, STATE_GAP if slow else 1)
        width = 2 * pixels + max(1, pixels - 1)
        tiles = [
            {
                "addr": 1000 + x // c.rows * gs,
                "nb": x,
                "x_out": x,
                "n_valid": min(pixels, width - x),
                "slot": 0,
            }
            for x in range(0, width, pixels)
        ]
        data = draw(rng, c, len(tiles), steps * gap)
        got = unit.run(
            {
                "dest": int(dest),
                "gs": gs,
                "mac": 1,
                "n_pix": pixels - 1,
                "passes": steps - 1,
                "t": t,
                "pack": int(Pack.TRIPLE),
                "img_w": width,
                "slow": slow,
            },
            tiles,
            "spikes",
            data,
            steps * gap,
        )
        want = []
        for n, tag in enumerate(tiles):
            for s, r in np.ndindex(steps, tag["n_valid"]):
                cycle, spikes = (n * steps + s) * gap + WRITE + r, data[n][s * gap + r]
                here = {**tag, "addr": tag["addr"] + s * t}
                if dest == Dest.ROW_TAPS:
                    want += tap_writes(c, cycle, here, r, spikes, 0, Pack.TRIPLE, width, gs)
                else:
                    token = tag["nb"] % c.rows + r
                    addr = here["addr"] + token // c.rows * gs
                    bank = token % c.rows
                    want.append(slot_write(cycle, "row", bank, addr, 0, size, spikes, c))
        assert got == sorted(want), pixels


def test_pool_to_row(unit):
    """Whole pooled words of even rows; token nb + r / 2, R / 2 tokens a tile."""
    c, rng = unit.config, np.random.default_rng(8)
    gs, half, period = 13, c.rows // 2, max(c.rows, 6)
    tiles = [
        {"addr": 500 + n, "nb": n * half, "n_valid": c.rows - n % 3, "slot": 0, "final": 1}
        for n in range(6)
    ]
    data = [
        [int.from_bytes(rng.bytes(c.width // 8), "little") for _ in range(c.rows)] for _ in tiles
    ]
    got = unit.run(
        {"dest": int(Dest.ROW), "gs": gs, "pool": 1, "lanes": 1}, tiles, "pooled", data, period
    )
    want = []
    for n, tag in enumerate(tiles):
        for r in range(0, tag["n_valid"], 2):
            at = tag["nb"] % c.rows + r // 2
            want.append(
                slot_write(
                    n * period + WRITE + r,
                    "row",
                    at % c.rows,
                    tag["addr"] + at // c.rows * gs,
                    0,
                    c.width // 8,
                    data[n][r],
                    c,
                )
            )
    assert got == sorted(want)


@pytest.mark.parametrize("pack", [Pack.PAIR, Pack.TRIPLE])
def test_pool_to_row_taps(unit, pack):
    """The low C bits of pooled words, to the neighbours of each output token."""
    c, rng = unit.config, np.random.default_rng(9)
    gs, half, period = 13, c.rows // 2, max(c.rows, 6)
    width = 3 * c.rows - 2  # of the input
    out_w = -(-width // 2)
    tiles = [
        {
            "addr": 500 * n,
            "nb": n * half,
            "x_out": n * half,
            "n_valid": min(c.rows, width - n * c.rows),
        }
        for n in range(3)
    ]
    data = [
        [int.from_bytes(rng.bytes(c.width // 8), "little") for _ in range(c.rows)] for _ in tiles
    ]
    got = unit.run(
        {"dest": int(Dest.ROW_TAPS), "gs": gs, "pool": 1, "pack": int(pack), "img_w": out_w},
        tiles,
        "pooled",
        data,
        period,
    )
    want = [
        w
        for n, tag in enumerate(tiles)
        for r in range(0, tag["n_valid"], 2)
        for w in tap_writes(c, n * period + WRITE + r, tag, r // 2, data[n][r], 0, pack, out_w, gs)
    ]
    assert got == sorted(want)


@pytest.mark.parametrize("pack", [Pack.NONE, Pack.PAIR, Pack.TRIPLE])
@pytest.mark.parametrize("height", [1, 3])
def test_windows_of_spikes(unit, pack, height):
    """Pooled spikes of an image, as a layer's are packed, with the odd rows of its tiles."""
    c, rng = unit.config, np.random.default_rng(height)
    gs, addr, width, lanes = 23, 500, 2 * c.rows - 3, c.cols - 2
    log2 = (c.cols // 8).bit_length() - 1
    out_w, size = -(-width // 2), c.cols // 8
    if 3 * c.cols > c.width and pack:
        return
    image = rng.integers(1 << c.cols, size=(height, width)) & rng.integers(
        1 << c.cols, size=(height, width)
    )
    pooled = pool3x3(image & (1 << lanes) - 1)
    tiles, data, want = [], [], []
    for y in range(height):
        for x in range(2):
            n_valid = min(c.rows, width - x * c.rows)
            ends, start = y % 2 or y == height - 1, (y // 2) * c.rows
            nb = start + (x * c.rows // 2 if ends else 0)
            tag = {"new": int(not x and not y), "n_valid": n_valid, "odd": y % 2, "final": 1}
            tag |= {"ends": int(ends), "nb": nb, "x_out": x * c.rows // 2}
            tag["addr"] = addr + gs * (nb // c.rows)
            row = image[y, x * c.rows : x * c.rows + n_valid].tolist()
            data.append(row + [-1] * (c.rows - n_valid))
            for r in range(1, c.rows, 2) if ends else ():
                if r - 1 < n_valid:
                    cycle, half = len(tiles) * c.rows + WRITE + r, r // 2
                    value = int(pooled[y // 2, x * c.rows // 2 + half])
                    if pack:
                        want += tap_writes(c, cycle, tag, half, value, log2, pack, out_w, gs)
                    else:
                        bank = (nb + half) % c.rows
                        want.append(slot_write(cycle, "row", bank, tag["addr"], 0, size, value, c))
            tiles.append(tag)
    dest = {"dest": int(Dest.ROW_TAPS), "slot_log2": log2, "pack": int(pack), "img_w": out_w}
    mode = {"gs": gs, "fused": 1, "lanes": lanes, **(dest if pack else {"dest": int(Dest.ROW)})}
    assert unit.run(mode, tiles, "spikes", data, c.rows) == sorted(want)


def test_means_beside_rows(unit):
    """After the last tile of two column tiles x of each lane, while the next one's rows come."""
    c, rng = unit.config, np.random.default_rng(5)
    count = -(-c.cols // c.rows) + 2
    tiles = [{"addr": 7, "nb": 0, "closes": int(n % count == count - 1)} for n in range(2 * count)]
    data = draw(rng, c, len(tiles), c.rows)
    cycles = (len(tiles) + 3) * c.rows + c.cols + 20
    stimulus = timeline(cycles)
    for n, s in enumerate(stimulus):
        s |= {"mode": {"lanes": c.cols, "dest": int(Dest.ROW), "mean": 1}, "x": n - 99}
    stimulus[0] |= {"begin": 1, "mean_base": 300}
    for n, (tag, spikes) in enumerate(zip(tiles, data, strict=True)):
        stimulus[1 + n * c.rows]["tag"] = {"valid": 1, "n_valid": c.rows, **tag}
        for r, bits in enumerate(spikes):
            stimulus[2 + n * c.rows + r]["spikes"] = bits
    seen = unit.bench.play(stimulus)
    found = [(n, s["pix_addr"], s["pix_data"]) for n, s in enumerate(seen) if s["pix_en"]]
    wanted = []
    for column in range(2):
        tag = 1 + ((column + 1) * count - 1) * c.rows
        first = tag + WRITE + mean_row(c)
        each = range(c.cols)
        wanted += [(first + k, 300 + c.cols * column + k, first + k - 1 - 99) for k in each]
    assert found == wanted
    assert sum(any(s["row_en"]) for s in seen) == len(tiles) * c.rows


def test_no_valid_row(unit):
    """No valid row: nothing is written."""
    c = unit.config
    got = unit.run({"dest": int(Dest.ROW)}, [{"n_valid": 0}], "spikes", [[1] * c.rows], c.rows)
    assert got == []
