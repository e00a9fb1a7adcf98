"""Reads and writes against the interpreter's."""

import pytest

from hw.arch.isa import Op
from sim.interpreter import interpret
from sim.interpreter.interpret import ColumnReads
from sw.host.samples import noise
from sw.page.traffic import accesses


@pytest.mark.parametrize("which", ["digits", "qsnn", "stream"])
def test_are_the_interpreters(which, request):
    _, program, _ = request.getfixturevalue(which)
    (*_, run) = interpret(program, noise(2, program.input_shape).pixels)
    found = accesses(program, run)
    written = {name: sum(a.writes for a in found if a.memory == name) for name in ("row", "col")}
    assert written == {"row": len(run.events.row), "col": len(run.events.col)}
    residual = sum(a.writes for a in found if a.memory == "res")
    assert residual == len(run.events.res) + len(run.events.mem)
    assert sum(a.writes for a in found if a.memory == "pix") == len(run.events.pix)
    reads = sum(run.column_reads, ColumnReads())
    assert sum(a.gated for a in found) == reads.gated
    columns, c = 0, program.config
    for i, cycles in zip(program.instructions(), run.instruction_cycles, strict=True):
        if cycles and i.op in (Op.GEMM, Op.MAC, Op.POOL, Op.MEAN):
            columns += i.n_par * c.cols * i.n_j * i.n_h
    gemms = {x.layer for x, i in zip(program.labels, program.instructions(), strict=True)
             if i.op == Op.GEMM}  # fmt: skip
    of_gemms = sum(a.reads for a in found if a.memory == "col" and a.layer in gemms)
    assert 0 < of_gemms - (reads.words - reads.gated) <= columns


def test_one_layer_by_hand(digits):
    """A 1x1 layer: a row word in R banks for each column word in C."""
    _, program, page = digits
    c, layer = program.config, "block.0.mlp.mlp1_conv"
    n = next(n for n, label in enumerate(program.labels) if label.layer == layer)
    i = program.instructions()[n]
    words = i.n_k * i.n_x * i.n_y * i.n_t * i.n_j * i.n_h
    found = {a.memory: a for a in page.accesses if a.layer == layer}
    assert found["row"].reads == words * c.rows
    parameters = i.n_par * i.n_j * i.n_h * c.cols
    assert found["col"].reads + found["col"].gated == words * c.cols + parameters
