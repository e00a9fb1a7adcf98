"""Reads and writes by memory: words that a run's operations take from banks, and put there."""

import numpy as np

from hw.arch.config import Config
from hw.arch.isa import Instruction, Op, Res
from hw.arch.timing import tile_words
from sim.interpreter.interpret import ColumnReads, Run
from sim.interpreter.walk import Tiles
from sw.compiler.program import Program
from sw.page.facts import Access

#: Memories, in the order in which they are told.
MEMORIES = {
    "row": "row memory",
    "col": "column memory",
    "res": "residual memory",
    "pix": "pixel memory",
    "prog": "program memory",
}


def accesses(program: Program, run: Run) -> tuple[Access, ...]:
    """Return what each layer reads and writes in each memory, in order; nothing where it is 0.

    A read is a word that an operation takes from one bank: R banks of row memory for each word
    issued, C of column memory for a word or a parameter, those gated apart; a lane's word of
    residual memory for each row that is a token. A write is a word, or a part of one, of a bank.
    """
    writes = _writes(run)
    found: dict[tuple[str, str], list[int]] = {}
    code = program.instructions()
    ran = [cycles > 0 for cycles in run.instruction_cycles]
    for n, (i, label, gemm) in enumerate(zip(code, program.labels, run.column_reads, strict=True)):
        reads = _reads(program.config, i, gemm) if ran[n] else {}
        for memory in MEMORIES:
            add = [reads.get(memory, 0), gemm.gated if memory == "col" else 0]
            add.append(writes.get((n, memory), 0))
            if any(add):
                sums = found.setdefault((label.layer, memory), [0, 0, 0])
                sums[:] = [a + b for a, b in zip(sums, add, strict=True)]
    return tuple(
        Access(layer=layer, memory=memory, reads=reads, gated=gated, writes=written)
        for (layer, memory), (reads, gated, written) in found.items()
    )


def _writes(run: Run) -> dict[tuple[int, str], int]:
    """Writes of each instruction to each memory; codes of membranes lie in residual memory."""
    out: dict[tuple[int, str], int] = {}
    assert run.events is not None, "the run was not recorded"
    for name in ("row", "col", "res", "pix", "mem"):
        memory = "res" if name == "mem" else name
        numbers, counts = np.unique(getattr(run.events, name)["instruction"], return_counts=True)
        for n, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            out[n, memory] = out.get((n, memory), 0) + count
    return out


def _reads(c: Config, i: Instruction, gemm: ColumnReads) -> dict[str, int]:
    """Words that an instruction takes from each memory."""
    op = Op(i.op)
    if op not in (Op.GEMM, Op.MAC, Op.POOL, Op.MEAN):
        return {}
    tiles, columns = Tiles(i, c.rows), i.n_j * i.n_h
    each = np.array([tile_words(i, y) for y in range(i.n_y)])[tiles.y]
    words = int(each.sum()) * columns
    out = {"col": i.n_par * c.cols * columns}
    tokens = i.n_y * i.n_t * i.img_w  # rows of tiles that are tokens
    if op == Op.MEAN:
        out["res"] = words * c.cols
        return out
    if op == Op.MAC:
        out["col"] += words * c.cols
        out["row" if i.image else "pix"] = words * (c.rows if i.image else i.n_pix + 1)
        tokens = i.n_y * i.n_t * ((i.n_x - 1) * (i.n_pix + 1) + i.last_pix + 1)
    else:
        out["row"] = (words + i.shortcut * tiles.count * columns) * c.rows
        out["col"] += gemm.words - gemm.gated
    if op == Op.POOL:
        return out
    of_row = {Res.ADD: 1, Res.AVERAGE: 2}.get(Res(i.res), 0) + i.persist
    out["res"] = tokens * columns * c.cols * of_row
    return out
