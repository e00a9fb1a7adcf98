"""Whole inferences through the UART pins of a board's top, bit by bit, by the host's driver."""

import tempfile
from pathlib import Path

import numpy as np

from boards import Board
from hw.common.files import read_json, write_json
from sim.cocotb_run import run_module
from sim.compare import save_job
from sim.simulate import frames
from sim.verilator import HERE, cache_folder, compile_bench
from sw.compiler import Program

BENCH = HERE / "uart_tb.sv"


def compile_top(board: Board, program: Program) -> Path:
    """Return the compiled top of ``board``, its memories initialised with ``program``."""
    from hw.soc.top import Top
    from hw.tools.export import export_verilog

    top = Top(board.config, clk_freq=board.core_clock, program=program)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="export-") as folder:
        path = export_verilog(top, Path(folder) / "top.v", name="top")
        verilog = path.read_text(encoding="utf-8")
    return compile_bench(verilog, BENCH, free=False)


def infer(
    board: Board, program: Program, images: np.ndarray, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Run images through the pins; return logits (B, classes) and cycles (B,).

    ``folder`` takes the files of the job.
    """
    images = frames(program, images)
    save_job(folder, program, images)
    write_json(folder / "job.json", {"clock": board.core_clock})
    run_module("sim.uart_bench", compile_top(board, program), folder)
    answers = read_json(folder / "answers.json")
    return (
        np.array([a["logits"] for a in answers], np.int64),
        np.array([a["cycles"] for a in answers], np.int64),
    )
