"""The trace: every write of the core's memories, in the cycle in which it is presented."""

from typing import Any

from amaranth import Cat, Module
from amaranth.lib.wiring import Out

from hw.arch import Config
from hw.arch.formats import MEMBRANE_BITS
from hw.core.lanes import Lanes
from hw.core.pipe import Pipeline
from hw.core.table import CODE_BITS
from hw.core.words import ADDR
from hw.core.writeback import WriteBack


def trace_members(config: Config) -> dict[str, Out]:
    """Return the trace's ports: enables, addresses and data of each kind of memory.

    Row and column memory have an enable a byte, of R and C banks; residual memory one for each
    lane of buffer A, then of B; ``mem`` (membrane codes) two for each lane, its word's bytes.
    ``t_col_read`` is not a write: the word in hand of a GEMM is read in all column banks.
    """
    r, c, w = config.rows, config.cols, config.width
    sizes = {
        "row": (r * w // 8, r * ADDR, r * w),
        "col": (c * w // 8, c * ADDR, c * w),
        "res": (2 * c, c * ADDR, c * MEMBRANE_BITS),
        "pix": (1, ADDR, MEMBRANE_BITS),
        "mem": (2 * c, c * ADDR, 2 * CODE_BITS * c),
    }
    return {"t_col_read": Out(1)} | {
        f"t_{kind}_{part}": Out(bits)
        for kind, each in sizes.items()
        for part, bits in zip(("en", "addr", "data"), each, strict=True)
    }


def trace(m: Module, core: Any, own, back: WriteBack, lanes: Lanes) -> None:
    """Drive the trace ports of ``core``: write-back's writes that are its ``own``, the lanes'."""
    column = own
    if core.config.block_depth:  # nor is what was moved computed
        moved = Pipeline(m, core.mover.load.valid & core.back.taken, 0, name="moved")
        column &= ~moved.at(1)
    m.d.comb += [
        core.t_row_en.eq(Cat(*back.row_en) & own.replicate(len(core.t_row_en))),
        core.t_row_addr.eq(Cat(*back.row_addr)),
        core.t_row_data.eq(Cat(*back.row_data)),
        core.t_col_en.eq(Cat(*back.col_en) & column.replicate(len(core.t_col_en))),
        core.t_col_addr.eq(Cat(*back.col_addr)),
        core.t_col_data.eq(Cat(*back.col_data)),
        core.t_pix_en.eq(back.pix_en & own),
        core.t_pix_addr.eq(back.pix_addr),
        core.t_pix_data.eq(back.pix_data),
        core.t_res_en.eq(lanes.res_en),
        core.t_res_addr.eq(Cat(*lanes.res_addr)),
        core.t_res_data.eq(Cat(*lanes.kept)),
        core.t_mem_en.eq(lanes.mem_en),
        core.t_mem_addr.eq(Cat(*lanes.mem_addr)),
        core.t_mem_data.eq(Cat(Cat(code, code) for code in lanes.code)),
    ]
