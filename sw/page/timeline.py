"""When array and lanes work: from a program's instructions alone, exact in every cycle."""

from collections.abc import Sequence

import numpy as np

from hw.arch import schedule, timing
from hw.arch.isa import Instruction, Op
from sim.interpreter.walk import Tiles, column_tiles
from sw.compiler.program import Program
from sw.compiler.records import Label
from sw.page.facts import Span, Timeline

_LANES_MULTIPLY = (Op.MAC, Op.MEAN)


def kind_of(label: Label, op: Op) -> str:
    """Kind of an instruction, of ``facts.KINDS``."""
    if op == Op.MAC:
        return "pixels"
    if op != Op.GEMM:
        return "other"
    return "attention" if label.kind == "map" or label.head_width else "binary"


def begins(cycles: Sequence[int]) -> list[int]:
    """First cycle of each instruction of a run that takes so many for each."""
    return [0, *np.cumsum(cycles).tolist()[:-1]]


def timeline(program: Program) -> Timeline:
    """Return when array and lanes work in a run whose table is kept from the one before."""
    code = program.instructions()
    times = schedule.schedule(program.config, code, False, program.contract)
    total = sum(t.cycles for t in times)
    size = total + timing.settle_cycles(program.config)  # lanes work while an instruction drains
    array, lanes = (np.zeros(size + 1, np.int32) for _ in range(2))
    parts = []
    for i, label, when, begin in zip(
        code, program.labels, times, begins([t.cycles for t in times]), strict=True
    ):
        of_array, of_lanes = _busy(program, i, when)
        for marks, intervals in ((array, of_array), (lanes, of_lanes)):
            for first, last in intervals:
                np.add.at(marks, first, 1)
                np.add.at(marks, last + 1, -1)
        parts.append((label, Op(i.op), begin, when, _length(of_array), _length(of_lanes)))
    return Timeline(
        total=total,
        spans=_spans(program, parts),
        array=_levels(array, total),
        lanes=_levels(lanes, total),
        peak=program.config.peak,
    )


Intervals = list[tuple[np.ndarray, np.ndarray]]


def _busy(program: Program, i: Instruction, when: schedule.Times) -> tuple[Intervals, Intervals]:
    """First and last cycles in which array, and lanes, work for an instruction."""
    op, rows = Op(i.op), program.config.rows
    if not when.cycles or (op != Op.GEMM and op not in _LANES_MULTIPLY):
        return [], []
    tiles = Tiles(i, rows)
    words = np.array([timing.tile_words(i, y) for y in range(i.n_y)])[tiles.y]
    array, lanes = [], []
    for column in column_tiles(i, when.begin, when.taus):
        tau = column.tau + tiles.tau
        if op == Op.GEMM:
            array.append((tau - words + 1, tau))
            lanes.append((tau + timing.S_READY, tau + timing.S_READY + rows - 1))
        else:
            lanes.append((tau + timing.S_READY - words + 1, tau + timing.S_READY))
    return array, lanes


def _length(intervals: Intervals) -> int:
    return sum(int((last - first + 1).sum()) for first, last in intervals)


def _levels(marks: np.ndarray, total: int) -> np.ndarray:
    return np.cumsum(marks)[:total].astype(np.uint8)


def _spans(program: Program, parts: list) -> tuple[Span, ...]:
    """Join instructions of a layer that follow each other; share out operations by cycles."""
    ops, peak = dict(program.ops), program.config.peak
    whole: dict[str, int] = {}  # cycles of a layer's GEMMs, which may run in pieces
    for label, op, _, when, _, _ in parts:
        if op == Op.GEMM:
            whole[label.layer] = whole.get(label.layer, 0) + when.cycles
    joined: list[dict] = []
    for label, op, begin, when, array, lanes in parts:
        if op == Op.HALT:
            continue
        done = 0
        if op == Op.GEMM:
            done = round(ops.get(label.layer, 0) * when.cycles / whole[label.layer])
        kind = kind_of(label, op)
        new = {
            "cycles": when.cycles,
            "array": array,
            "lanes": lanes,
            "stalls": when.stalls,
            "ops": done,
        }
        if joined and joined[-1]["layer"] == label.layer:
            last = joined[-1]
            for name, value in new.items():
                last[name] += value
            last["kind"] = kind if last["kind"] == "other" else last["kind"]
        else:
            joined.append({"layer": label.layer, "kind": kind, "begin": begin, **new})
    return tuple(Span(**part, bound=-(-part["ops"] // peak)) for part in joined)
