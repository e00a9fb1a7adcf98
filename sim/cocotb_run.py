"""Runs a job of the testbench under cocotb: cocotb drives the clock and does the check.

``run_cocotb`` is for tests; it starts the simulator in a process of its own, in which the module
``sim.cocotb_bench`` runs.
"""

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from sim.testbench import Outcome, plusargs, read_results
from sim.verilator import Simulator

JOB = "SPIKELOOM_JOB"  #: Environment variable with the job's folder, for the bench.


class BenchError(AssertionError):
    """A cocotb test failed; the message is the test's own."""


def run_cocotb(simulator: Simulator, folder: Path) -> Outcome:
    """Run the commands in ``folder`` under cocotb; BenchError if its check fails."""
    run_module("sim.cocotb_bench", simulator.folder, folder, plusargs(folder, log=True))
    return read_results(simulator, folder)


def run_module(
    module: str, build: Path, folder: Path, arguments: list[str] | None = None
) -> None:
    """Run a module of cocotb tests on the compiled bench in ``build``, with ``folder`` as job.

    BenchError with the test's own message if one fails.
    """
    from cocotb_tools.runner import get_runner

    log = folder / "cocotb.log"
    results = folder / "cocotb.xml"
    try:
        get_runner("verilator").test(
            test_module=module, hdl_toplevel="tb", hdl_toplevel_lang="verilog",
            build_dir=build, test_dir=folder, results_xml=str(results),
            plusargs=arguments or [], log_file=log,
            extra_env={JOB: str(folder), "COCOTB_ANSI_OUTPUT": "0", **_python_path()},
        )  # fmt: skip
    except SystemExit:  # a failed test; its message is in the results file
        pass
    _check(results, log)


def _python_path() -> dict[str, str]:
    root = str(Path(__file__).parent.parent)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}


def _check(results: Path, log: Path) -> None:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:]) if log.exists() else ""
    if not results.exists():
        raise BenchError(f"the simulation ended abnormally:\n{tail}")
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    if not cases:
        raise BenchError(f"cocotb ran no test:\n{tail}")
    for case in cases:
        for bad in (*case.iter("failure"), *case.iter("error")):
            raise BenchError(f"{bad.get('message') or bad.text or 'cocotb test failed'}\n{tail}")
