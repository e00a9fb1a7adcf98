"""The cocotb test that runs inside the simulator: clock, wait for the end, check.

Not collected by pytest; ``sim.cocotb_run`` starts it.
"""

import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from sim.cocotb_run import JOB


@cocotb.test()
async def bench(dut):
    """Drive the clock until the testbench has played its commands; then compare with the model.

    Where the job holds a program, every memory write, the logits and the cycles are compared with
    the interpreter; else only the testbench runs.
    """
    Clock(dut.clk, 10, "ns", impl="gpi").start(start_high=False)
    if not int(dut.finished.value):
        await RisingEdge(dut.finished)
    folder = Path(os.environ[JOB])
    if (folder / "program.npz").exists():
        from sim.compare import check_job

        count = check_job(folder)
        cocotb.log.info("%d memory writes equal", count)
