# amaranth: UnusedElaboratable=no
"""Element and SystolicArray against the golden popcounts, in the cycles of ``hw.arch.timing``.

The forms of vendors' cells stand beside the behavioural one at gate level.
"""

import random

import numpy as np
import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.common.errors import SpikeloomError
from hw.core.array import Element, SystolicArray
from sw.golden import ops
from tests.unit import netlist
from tests.unit.bench import Bench, timeline

CONFIGS = {
    "r4c8w32": Config(rows=4, cols=8, width=32),
    "r8c8w32": Config(rows=8, cols=8, width=32),
}


def pack(bits):
    """0/1 along the last axis to Python integers, LSB first."""
    return [sum(int(b) << n for n, b in enumerate(word)) for word in bits]


@pytest.mark.parametrize("acc_bits", [8, 13])
def test_element(acc_bits):
    """Random words: sums with first and neg, in every cycle, wrapping at acc_bits."""
    cfg = Config(rows=4, cols=8, width=32, acc_bits=acc_bits)
    rng, n = np.random.default_rng(0), 400
    a, b = rng.integers(1 << 32, size=(2, n)).tolist()
    a[100:108] = b[100:108] = [0xFFFFFFFF] * 8  # past the corner of 8 bits, both ways
    first = (rng.random(n) < 0.15).astype(int)
    neg = (rng.random(n) < 0.4).astype(int)
    first[0], first[99], first[100:108] = 1, 1, 0
    neg[100:108] = [0] * 4 + [1] * 4
    late = timing.POP_STAGES
    stimulus = timeline(n + late + 1)
    for t in range(n):
        stimulus[t] |= {"a": a[t], "b": b[t]}
        stimulus[t + late] |= {"first": int(first[t]), "neg": int(neg[t])}
    seen = Bench(Element(cfg), ["a", "b", "first", "neg"], ["acc"]).play(stimulus)
    acc, half = 0, 1 << (acc_bits - 1)
    for t in range(n):
        term = (a[t] & b[t]).bit_count() * (-1 if neg[t] else 1)
        acc = ((0 if first[t] else acc) + term + half) % (2 * half) - half
        assert seen[t + late + 1]["acc"] == acc, t


class Wave:
    """Issues tiles into the array as the core does: skewed words, tags, drain selections."""

    def __init__(self, cfg):
        self.cfg = cfg
        inputs = ["rows", "cols", "first", "neg", "row_ones", "row_sel"]
        self.bench = Bench(SystolicArray(cfg), inputs, ["pops", "accs"])

    def run(self, tiles, tile_min):
        """Tiles are lists of (row bits (R, W), column bits (C, W), neg); -> accs, pops, ones each.

        ``pops`` are read in the cycles the core reads them.
        """
        cfg, taus, at, events = self.cfg, [], 0, []
        for tile in tiles:
            events += [(at + n, n == 0, *word) for n, word in enumerate(tile)]
            taus.append(at + len(tile) - 1)
            at += max(len(tile), tile_min)
        stimulus = timeline(at + timing.S_READY + cfg.rows + cfg.cols + 1)
        for s in stimulus:
            s |= {"rows": [0] * cfg.rows, "cols": [0xA5] * cfg.cols}
        for t, first, left, top, neg in events:
            stimulus[t] |= {"first": int(first), "neg": int(neg)}
            for r, word in enumerate(pack(left)):
                stimulus[t + timing.ROW_READ + r]["rows"][r] = word
            for c, word in enumerate(pack(top)):
                stimulus[t + timing.ELEMENT_IN + c]["cols"][c] = word
        for tau in taus:
            for r in range(cfg.rows):
                stimulus[tau + timing.ACC - 1 + r]["row_ones"] = r
                stimulus[tau + timing.ACC + r]["row_sel"] = r
        seen = self.bench.play(stimulus)
        accs = [
            [
                [seen[tau + timing.S_READY + r + c]["accs"][c] for c in range(cfg.cols)]
                for r in range(cfg.rows)
            ]
            for tau in taus
        ]
        pops = [[seen[tau + timing.ACC - 1 + r]["pops"] for r in range(cfg.rows)] for tau in taus]
        return accs, pops


@pytest.fixture(scope="module", params=CONFIGS)
def wave(request):
    return Wave(CONFIGS[request.param])


def draw(rng, cfg, words):
    """Spikes (R, K) and weights (C, K) of a tile of whole words."""
    dense = rng.choice([0.1, 0.5, 0.9, 1.0])
    shape = words * cfg.width
    return (rng.random((cfg.rows, shape)) < dense), rng.random((cfg.cols, shape)) < 0.5


def cut(cfg, bits):
    """Return (n words, rows, W)."""
    return bits.reshape(len(bits), -1, cfg.width).swapaxes(0, 1)


def test_binary_layers(wave):
    """Back-to-back tiles of different length: 2 * acc - pops is the dot product."""
    cfg, rng = wave.cfg, np.random.default_rng(1)
    counts = [cfg.rows, cfg.rows + 3, cfg.rows, cfg.rows + 1]
    operands = [draw(rng, cfg, n) for n in counts]
    tiles = [
        [(a, b, False) for a, b in zip(cut(cfg, s), cut(cfg, w), strict=True)] for s, w in operands
    ]
    accs, pops = wave.run(tiles, cfg.rows)
    for (s, w), acc, pop in zip(operands, accs, pops, strict=True):
        assert pop == s.sum(axis=1).tolist()
        assert acc == ops.and_count(s, w).tolist()
        assert (2 * np.array(acc) - np.array(pop)[:, None]).tolist() == (
            ops.popcount_dot(s, w).tolist()
        )


@pytest.mark.parametrize("words", [1, 3])
def test_short_tiles_are_padded(wave, words):
    """Tiles of fewer words than rows (all alike, as in an instruction): idle cycles add nothing."""
    cfg, rng = wave.cfg, np.random.default_rng(2)
    operands = [draw(rng, cfg, words) for _ in range(3)]
    tiles = [
        [(a, b, False) for a, b in zip(cut(cfg, s), cut(cfg, w), strict=True)] for s, w in operands
    ]
    accs, pops = wave.run(tiles, cfg.rows)
    for (s, w), acc, pop in zip(operands, accs, pops, strict=True):
        assert acc == ops.and_count(s, w).tolist()
        assert pop == s.sum(axis=1).tolist()


def test_xnor_words(wave):
    """Each word plain, then inverted and subtracted: the row popcount leaves out the second."""
    cfg, rng = wave.cfg, np.random.default_rng(3)
    operands = [draw(rng, cfg, n) for n in (cfg.rows, cfg.rows // 2, cfg.rows + 1)]
    tiles = [
        [
            (x, b, neg)
            for a, b in zip(cut(cfg, q), cut(cfg, k), strict=True)
            for x, neg in ((a, False), (~a, True))
        ]
        for q, k in operands
    ]
    accs, pops = wave.run(tiles, cfg.rows)
    for (q, k), acc, pop in zip(operands, accs, pops, strict=True):
        assert pop == q.sum(axis=1).tolist()
        same = np.array(acc) - np.array(pop)[:, None] + q.shape[1]
        assert same.tolist() == ops.xnor_count(q, k).tolist()


def test_extremes(wave):
    """All ones, added then subtracted, and all zeros: sums of both signs."""
    cfg = wave.cfg
    ones, zeros = np.ones((cfg.rows, cfg.width)), np.zeros((cfg.rows, cfg.width))
    top = np.ones((cfg.cols, cfg.width))
    words = cfg.max_count // cfg.width
    tiles = [
        [(ones, top, False)] * words,
        [(ones, top, True)] * words,
        [(zeros, top, False)] * cfg.rows,
    ]
    accs, pops = wave.run(tiles, cfg.rows)
    full = words * cfg.width
    assert accs == [[[v] * cfg.cols] * cfg.rows for v in (full, -full, 0)]
    assert pops == [[v] * cfg.rows for v in (full, 0, 0)]


class Beside(wiring.Component):
    """Two arrays with the same inputs; tells whether any output differs."""

    def __init__(self, config, target, other="generic"):
        self.config = config
        self.arrays = [SystolicArray(config, target=t) for t in (other, target)]
        control = {"first": In(1), "neg": In(1), "xnor": In(1)}
        self.bits = (config.rows - 1).bit_length()
        words = {"rows": In(config.width * config.rows), "cols": In(config.width * config.cols)}
        selected = {"row_ones": In(self.bits), "row_sel": In(self.bits)}
        super().__init__({**words, **control, **selected, "differ": Out(1)})

    def elaborate(self, platform):
        m = Module()
        seen = []
        for n, array in enumerate(self.arrays):
            m.submodules[f"array{n}"] = array
            m.d.comb += [
                Cat(*array.rows).eq(self.rows),
                Cat(*array.cols).eq(self.cols),
                *(
                    getattr(array, name).eq(getattr(self, name))
                    for name in ("first", "neg", "xnor", "row_ones", "row_sel")
                ),
            ]
            seen.append(Cat(array.pops, *array.accs))
        differ = Signal()
        m.d.sync += differ.eq(seen[0] != seen[1])
        m.d.comb += self.differ.eq(differ)
        return m


def lively(cfg, tiles, seed):
    """Stimulus of random words, and the cycles at which all sums stand for what was asked.

    Tiles grow up to the largest sum; those of an XNOR map have half of that, of both signs. After
    each change of ``xnor`` the sums of the tiles before have left.
    """
    rng, flow, valid = random.Random(seed), [], []
    latency = timing.S_READY + cfg.rows + cfg.cols
    for _ in range(tiles):
        xnor = rng.randrange(2)
        most = min(cfg.max_count >> xnor, 4095 >> xnor) // cfg.width
        flow += [(1, 0, xnor, 0)]  # what was before goes
        valid += [False] * (latency + 1)
        flow += [(0, 0, xnor, 0)] * latency
        for _ in range(4):
            n, dense = rng.choice((1, 3, cfg.rows, most)), rng.choice((0.5, 0.9, 1.0))
            flow += [
                (int(k == 0), int(xnor and k > 0 and rng.random() < 0.6), xnor, dense)
                for k in range(n)
            ]
            valid += [True] * n

    def word(bits, dense):
        some = rng.getrandbits(bits)
        full = (1 << bits) - 1
        return {0: 0, 0.5: some, 0.9: some | rng.getrandbits(bits), 1.0: full}[dense]

    out = {
        "rows": [word(cfg.width * cfg.rows, dense) for *_, dense in flow],
        "cols": [word(cfg.width * cfg.cols, 1.0 if dense else 0) for *_, dense in flow],
        "first": [first for first, *_ in flow],
        "neg": [neg for _, neg, *_ in flow],
        "xnor": [xnor for *_, xnor, _ in flow],
    }
    for name in ("row_ones", "row_sel"):
        out[name] = [rng.randrange(cfg.rows) for _ in flow]
    return out, valid


FORMS = {
    "xc7": ("xc7", Config(rows=4, cols=8, width=32)),
    "xc7, wide sums": ("xc7", Config(rows=4, cols=8, width=32, acc_bits=16)),
    "ecp5": ("ecp5", Config(rows=4, cols=8, width=32)),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_vendors_cells_equal_the_behavioural_form(form, tmp_path):
    target, cfg = FORMS[form]
    stimulus, valid = lively(cfg, 8, 1)
    differ = netlist.simulate(Beside(cfg, target), stimulus, "differ", tmp_path, target)
    assert sum(valid) > 400
    assert not [n for n, (d, v) in enumerate(zip(differ, valid, strict=True)) if v and d]


@pytest.mark.parametrize(
    ("acc_bits", "sums"), [(8, 12), (12, 12), (13, 12), (14, 24), (16, 24)], ids=str
)
def test_sums_share_adders(acc_bits, sums):
    cfg = Config(rows=4, cols=8, width=32, acc_bits=acc_bits)
    assert cfg.field_bits == sums
    cells = netlist.cells(SystolicArray(cfg, target="xc7"))
    diagonals = [1, 2, 3, *[4] * 6, 3, 2, 1]  # elements and popcounts, of 4 rows and 8 columns
    assert sum(diagonals) == 4 * 9
    fields = 48 // sums
    assert cells["DSP48E1"] == sum(-(-n // fields) for n in diagonals)


def test_refuses_unknown_target():
    with pytest.raises(SpikeloomError, match="array target 'ice': known targets"):
        SystolicArray(Config(), target="ice")
