"""Runs that are stopped, on RTL: idle in the stated time, and the next run is as the first.

Random networks are aborted in random cycles; programs that can never end, or that are no programs
at all, are stopped by their limit. What a good run behind them writes equals the interpreter's
writes, every one, as do its logits and cycles. And the log of a run tells its layers' cycles.
"""

import dataclasses
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest

import sw
from benchmarks.card_page import outside_core
from hw.arch import isa, timing
from hw.arch.isa import NI, Op
from hw.arch.memmap import Mem, Stopped, load_addr
from sim import verilator
from sim.compare import Expected, differences, first_difference
from sim.interpreter import interpret
from sim.simulate import frames
from sim.testbench import NOT_BUSY, Commands, run_free
from sw.compiler import (
    MisfitError,
    compile_network,
    forecast_layers,
    logged_layers,
)
from sw.frontend.loader import shipped
from sw.testing import random_images, random_residual_network
from tests.cocotb.inference import CONFIGS
from tests.cocotb.test_sweep import drawn

ARTY = CONFIGS["arty_a7"]
STOP = timing.stop_cycles(ARTY)


class Job:
    """Commands of one simulation, and what every run of it is."""

    def __init__(self, program):
        self.program, self.commands, self.images = program, Commands(), []
        if program.outside.size:
            self.commands.outside(program.outside, program.contract)
        self.commands.load(program.load_stream())

    def run(self, image=None, *, abort=0, budget=None):
        """A run: of an image, or of what is in memory."""
        if image is not None:
            self.commands.load(self.program.image_stream(image))
        budget = 2 * self.program.first_cycles + 1000 if budget is None else budget
        self.commands.start(len(self.images), budget, abort)
        self.images.append(image)

    def logits(self):
        base = self.program.logits_base
        self.commands.peek(range(base, base + self.program.classes))

    def play(self, log=True):
        """The runs, and the writes of each."""
        with tempfile.TemporaryDirectory(prefix="spikeloom-stops-") as name:
            self.commands.write(Path(name))
            outcome = run_free(verilator.build(self.program.config), Path(name), log=log)
            if not log:
                return outcome, []
            writes = outcome.writes()
        assert not (writes["cycle"] == NOT_BUSY).any()
        return outcome, [writes[writes["run"] == n] for n in range(len(self.images))]


def of_shipped(name):
    """Program of a shipped network, and a random image for it."""
    network = sw.load(name).lower()
    try:
        program = network.compile(ARTY)
    except MisfitError:  # then with its weights outside
        program = network.compile(outside_core(network)[1])
    return program, frames(program, random_images(network, 1))[0]


def check_good(program, images, outcome, writes, begin):
    """Runs from ``begin`` on are as the first ones after a reset."""
    count = len(images)
    part = dataclasses.replace(outcome, runs=outcome.runs[begin : begin + count])
    mine = [w.copy() for w in writes[begin : begin + count]]
    for n, w in enumerate(mine):
        w["run"] = n
    found = list(differences(program, np.stack(images), part, np.concatenate(mine)))
    assert not found, found
    assert all(r.stopped == Stopped.NO for r in part.runs)


@pytest.mark.parametrize("seed", range(3))
def test_aborted_in_any_cycle(seed):
    """And what was written before the abort is what the interpreter writes there."""
    rng = random.Random(seed)
    network = drawn(rng, ("attention", "residual", "stream")[seed])
    program = compile_network(network, ARTY)
    images = frames(program, random_images(network, 2, seed))
    aborts = [rng.randrange(1, program.cycles - 1) for _ in range(4)]
    job = Job(program)
    for at in aborts:
        job.run(images[0], abort=at)
        for image in images:
            job.run(image)
            job.logits()
    outcome, writes = job.play()
    (model,) = interpret(program, images[:1])
    assert model.events is not None
    want = Expected(program, model.events, 0)
    inside = want.writes["cycle"]
    for k, at in enumerate(aborts):
        n = 3 * k
        assert outcome.runs[n].stopped == Stopped.ABORTED
        assert outcome.runs[n].counted == at + STOP
        assert outcome.runs[n].cycles == at + 2
        check_good(program, images, outcome, writes, n + 1)
        if k == 0:
            got = writes[0][writes[0]["cycle"] <= at]
            want.writes, want.origin = want.writes[inside <= at], want.origin[inside <= at]
            assert first_difference(want, got, 0) is None


def test_aborted_with_sixteen_steps_in_flight():
    """What the lanes still have to write then takes longest; none of it comes after busy falls."""
    network = random_residual_network(
        3, height=6, width=6, channels=1, widths=(16,), blocks=(1,), steps=16, bits=4, classes=4
    )
    program = compile_network(network, ARTY)
    spread = next(i for i in program.instructions() if i.op == Op.MAC)
    assert spread.n_spread == 15
    image = frames(program, random_images(network, 1, 3))[0]
    job, aborts = Job(program), range(700, 900, 7)
    for at in aborts:
        job.run(image, abort=at)
    job.run(image)
    job.logits()
    outcome, writes = job.play()
    assert [r.counted for r in outcome.runs[:-1]] == [at + STOP for at in aborts]
    behind = [int(w["cycle"].max()) - at for w, at in zip(writes, aborts, strict=False)]
    assert max(behind) > 90
    check_good(program, [image], outcome, writes, len(aborts))


def test_a_limit_that_is_reached_and_one_that_is_not():
    program, image = of_shipped("digits-qsnn")
    job = Job(program)
    for limit in (program.first_cycles, program.cycles - 3, program.first_cycles - 2, 1):
        job.commands.limit(limit)
        job.run(image)
        job.logits()
    job.commands.limit(0)
    for _ in range(2):
        job.run(image)
        job.logits()
    outcome, writes = job.play()
    runs = outcome.runs
    assert [r.stopped for r in runs] == [Stopped.NO, *[Stopped.WATCHDOG] * 3, *[Stopped.NO] * 2]
    limits = [program.cycles - 3, program.first_cycles - 2, 1]
    assert [r.counted for r in runs[1:4]] == [limit + STOP for limit in limits]
    check_good(program, [image], outcome, writes, 0)
    check_good(program, [image, image], outcome, writes, 4)


def jammed(code, n):
    """Words of a program whose instruction ``n`` walks its loops for ever, or nearly."""
    fields = {f.name: getattr(code[n], f.name) for f in (*isa.FIELDS, *isa.OVERLAYS)}
    fields = {k: v for k, v in fields.items() if v and k != "op"}
    huge = {f"n_{level}": isa.BY_NAME[f"n_{level}"].most for level in isa.LEVELS}
    huge["n_par"] = fields.get("n_par", 0)
    return [*isa.encode(Op(code[n].op), **fields | huge), *isa.encode(Op.HALT)]


def bad_programs(rng):
    """Programs of every kind of instruction that never end, and words that are none."""
    code = [
        i
        for name in ("digits-qsnn", "mnist-bestformer")
        for i in sw.load(name).lower().compile(ARTY).instructions()
    ]
    for op in (Op.GEMM, Op.MAC, Op.POOL, Op.MEAN):
        mine = [n for n, i in enumerate(code) if i.op == op]
        if mine:
            yield jammed(code, rng.choice(mine))
        else:
            counts = {f"n_{level}": 0 for level in isa.LEVELS}  # which is as many as fit
            yield isa.encode(op, **counts, tile_min=9, img_w=9, img_h=9)
    yield [*isa.encode(Op.TABLE, n_k=(1 << 16) - 1), *[77] * 900]
    for _ in range(12):
        yield [rng.getrandbits(32) for _ in range(ARTY.prog_depth)]
    for _ in range(6):  # a good one with damaged words
        words = sw.load("mnist-tiny").lower().compile(ARTY).words.tolist()
        for _ in range(9):
            words[rng.randrange(3 * NI)] = rng.getrandbits(32)
        yield words


def test_programs_that_never_end():
    """Whatever is in program memory: stopped by the limit, unless it came to a HALT."""
    rng, limit = random.Random(1), 3000
    program, image = of_shipped("mnist-tiny")
    job, never = Job(program), 0
    for words in bad_programs(rng):
        stream = [(load_addr(Mem.PROG, n), w) for n, w in enumerate(words[: ARTY.prog_depth])]
        job.commands.load(np.array(stream, np.uint32))
        job.commands.limit(limit)
        job.run(budget=limit + STOP)
        job.commands.limit(0)
        job.commands.load(program.load_stream())
        for _ in range(2):
            job.run(image)
            job.logits()
    outcome, writes = job.play()
    for n in range(0, len(outcome.runs), 3):
        run = outcome.runs[n]
        never += run.stopped == Stopped.WATCHDOG
        if run.stopped:
            assert run.counted == limit + STOP
        check_good(program, [image, image], outcome, writes, n + 1)
    assert never > 15


@pytest.mark.parametrize("name", shipped())
def test_the_log_tells_the_layers_of_a_shipped_network(name):
    """In the first run, which loads a table, and in a later one."""
    program, image = of_shipped(name)
    code = program.instructions()
    job, lengths = Job(program), []
    for first in (True, False):
        lengths.append(len(code) - timing.run_start(code, first))
        job.run(image)
        job.commands.log(lengths[-1])
    outcome, _ = job.play(log=False)
    for run, first in zip(outcome.runs, (True, False), strict=True):
        layers = logged_layers(program, run.log, run.cycles)
        assert layers == forecast_layers(program, first)
        assert sum(layers.values()) == run.counted
