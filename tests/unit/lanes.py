"""Stimulus for lanes and their parts: what a lane is told, each port at its time."""

from typing import Any

import numpy as np
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arch import Config, timing
from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN, SHIFTS, STATE_BITS, STATE_SHIFTS
from hw.arch.isa import Keep, Res
from hw.core.affine import MEAN_NAMES, pixel_names
from hw.core.codes import PARTS
from hw.core.lane import Lane
from hw.core.mixer import Source
from hw.core.modes import Operand
from tests.unit.bench import Bench
from tests.unit.states import reader

CONFIG = Config(rows=4, cols=8, width=32)
PICKED, CODE = (t - timing.S_READY for t in (timing.X, timing.STATE_WRITE))
INPUTS = [
    "mode",
    "acc",
    "side",
    "col",
    "par_bias",
    "par_factor",
    "par_entry",
    "use",
    "swap",
    "first",
    "source",
    "adds",
    "load",
    "takes",
    "operand_1",
    *MEAN_NAMES,
    "unit",
    "shut",
    *pixel_names(CONFIG),
    "res_a",
    "res_b",
    "fire",
    "row",
    "start",
    "sc",
    "entry",
    "code_at",
    "forget",
    "put",
    "put_row",
    "code_shut",
    "code_new",
    "code_below",
    "code_keep",
]
CORNERS = [MEMBRANE_MIN, MEMBRANE_MIN + 1, -1, 0, 1, MEMBRANE_MAX - 1, MEMBRANE_MAX]
X, Y, SPIKE = (t - timing.S_READY for t in (timing.X, timing.Y, timing.SPIKE))
NOISE = {
    "mode",
    "shut",
    "col",
    "par_entry",
    "row",
    "start",
    "acc",
    "side",
    "use",
    "sc",
    "entry",
    "code_at",
    "forget",
    "put_row",
    "code_shut",
    "code_new",
    "code_below",
    "code_keep",
}
#: These may stand anywhere.
PLAIN = 16  # a factor that with the first shift gives x = S
SOURCES = {
    Res.NONE: Source.A,
    Res.SPIKE: Source.VALUE,
    Res.ADD: Source.B,
    Res.AVERAGE: Source.BOTH,
}


def shut(shift):
    """All shifts but one."""
    return (1 << len(SHIFTS)) - 1 ^ 1 << shift


def leak_mode(state_shift):
    """What a lane is told of the shift from code to membrane."""
    shut = (1 << len(STATE_SHIFTS)) - 1 ^ 1 << state_shift
    above = (1 << state_shift) - 1
    return {"fine": int(state_shift == 0), "leak_shut": shut, "leak_above": above}


class Script:
    """Stimulus of one lane; ports not named in a cycle carry noise wherever that is harmless.

    ``shift``, ``res`` and the other keywords as an instruction has them.
    """

    def __init__(self, seed=0, **insn):
        self.rng, self.rows, self.at, self.table = np.random.default_rng(seed), [], 0, None
        self.use(**insn)

    def use(self, *, forget=0, keep=Keep.NONE, operand=Operand.SUM, **insn):
        """Go on with another instruction."""
        shift, res, state_shift = (insn.pop(n, 0) for n in ("shift", "res", "state_shift"))
        self.shut, self.forget = shut(shift), forget
        self.source, self.adds = SOURCES[Res(res)], int(res in (Res.ADD, Res.AVERAGE))
        self.mode = leak_mode(state_shift) | {
            "operand": operand,
            "mac": int(operand == Operand.PIXEL),
            "average": int(res == Res.AVERAGE),
            "fires": int(insn.get("theta", 0) != 0),
            "keeps_spike": int(keep == Keep.SPIKE),
            **insn,
        }

    def put(self, cycle, **values):
        while len(self.rows) <= cycle:
            r = self.rng.integers(1 << 32, size=17).tolist()
            self.rows.append(
                {
                    "mode": self.mode,
                    "shut": self.shut,
                    "source": self.source,
                    "adds": self.adds,
                    "col": r[0],
                    "par_entry": r[1] & 31,
                    "row": r[3] & 3,
                    "start": r[4] & 1,
                    "sc": r[8] & 1,
                    "code_at": r[9] & 7,
                    "forget": self.forget,
                    "code_shut": r[10] & 255,
                    "code_new": r[11] & 15,
                    "code_below": r[2] & 15,
                    "put_row": r[12] & 3,
                }
            )
            if not self.mode.get("leak"):
                self.rows[-1] |= {"code_keep": r[13] & 1, "entry": r[14] & 0x1FFF}
            if self.mode["operand"] in (
                Operand.SUM,
                Operand.DOUBLE,
            ):  # P is opened by every event: what is between does not matter
                self.rows[-1] |= {"acc": r[5], "side": r[6], "use": r[7] & 31}
        taken = values.keys() & self.rows[cycle].keys() - NOISE
        assert not taken, taken
        self.rows[cycle] |= values

    def parameters(self, words, half=0, at=None):
        """Bias, then factors, on consecutive cycles."""
        at = self.at if at is None else at
        for n, v in enumerate(words):
            what = {"par_factor": 1, "par_entry": n - 1 | half << 4} if n else {"par_bias": 1}
            self.put(at + n, col=int(v), **what)
        self.at = max(self.at, at + len(words))

    def event(
        self,
        at=None,
        *,
        acc=0,
        side=0,
        use=0,
        swap=0,
        res_a=0,
        res_b=0,
        row=0,
        start=0,
        fire=1,
        **at_load,
    ):
        """One row of a GEMM; returns its cycle. ``at_load``: ports with the residual's words."""
        at = self.at if at is None else at
        self.put(at, acc=acc, side=side, use=use, swap=swap)
        self.put(at + 1, first=1)
        self.put(at + X - 1, load=1, takes=1, res_a=res_a, res_b=res_b, **at_load)
        if self.mode.get("persist"):
            assert not start
            self.put(at + PICKED, put=fire, put_row=row)
        elif self.mode.get("leak"):
            self.put(at + CODE, put=fire, put_row=row)
        else:
            self.put(at + Y, put=fire, put_row=row)
        self.put(at + Y, fire=fire, row=row, start=start)
        self.put(at + SPIKE + 1)
        self.at = max(self.at, at + 1)
        return at

    def play(self, bench):
        """The table, where there is one, answers."""
        if self.table is None:
            return bench.play(self.rows)
        return bench.play(self.rows, reader(self.table))


class FlatLane(wiring.Component):
    """A lane with the fields of its event as ports; a core without codes ignores those of codes."""

    def __init__(self, config):
        self.lane = lane = Lane(config)
        self.told = dict(lane.event.shape())
        event: dict[str, Any] = {name: In(field.shape) for name, field in self.told.items()}
        codes = {"code_at": In(3), "put": In(1), "put_row": In(2), "code_shut": In(8)}
        event = codes | {"code_new": In(4), "code_below": In(4), "code_keep": In(1)} | event
        ports = {n: m for n, m in lane.signature.members.items() if n not in ("event", "next", "x")}
        more = {"next": Out(lane.next.shape()), "y": Out(lane.residual.y.shape())}
        more["x"] = Out(lane.affine.x.shape())
        super().__init__({**event, **ports, **more})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lane = lane = self.lane
        m.d.comb += [lane.event[name].eq(getattr(self, name)) for name in self.told]
        m.d.comb += [self.next.eq(lane.next), self.y.eq(lane.residual.y)]
        m.d.comb += self.x.eq(lane.affine.x)
        for name, member in lane.signature.members.items():
            if name not in ("event", "next", "x"):
                ends = getattr(self, name), getattr(lane, name)
                target, value = ends if member.flow is Out else ends[::-1]
                m.d.comb += target.eq(value)
        return m


class PartBench(Bench):
    """A bench of a part of a lane: what a script says to other parts is left out."""

    def _encode(self, row):
        return super()._encode({name: v for name, v in row.items() if name in self._in})


def code_place(index, bits):
    """Where code ``index`` goes in its byte: by cycles after STATE_WRITE, what a lane is told."""
    size, width = bits // 2, STATE_BITS.index(bits)
    first = index * bits % 8 // 2
    shut = sum(
        int(not (first <= pair < first + size and width in widths)) << n
        for n, (pair, _, widths) in enumerate(PARTS)
    )
    below = (1 << first) - 1
    new = ((1 << size) - 1) << first | below
    return {-2: {"code_shut": shut}, -1: {"code_new": new}, 0: {"code_below": below}}


def numbers(rng, low, high, n):
    """Random integers with many corners."""
    out = rng.integers(low, high + 1, size=n)
    pick = rng.random(n) < 0.3
    out[pick] = rng.choice([low, low + 1, -1, 0, 1, high - 1, high], size=pick.sum())
    return out.tolist()
