"""Runs a job of the testbench under cocotb: cocotb drives the clock and does the check.

``run_cocotb`` is for tests; it starts cocotb's runner in a process of its own, which starts the
simulator, in which the module ``sim.cocotb_bench`` runs.
"""

import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from hw.common.process import run
from sim.testbench import Outcome, plusargs, read_results
from sim.verilator import Simulator

JOB = "SPIKELOOM_JOB"  #: Environment variable with the job's folder, for the bench.


class BenchError(AssertionError):
    """A cocotb test failed; the message is the test's own."""


def run_cocotb(simulator: Simulator, folder: Path) -> Outcome:
    """Run the commands in ``folder`` under cocotb; BenchError if its check fails."""
    run_module("sim.cocotb_bench", simulator.folder, folder, plusargs(folder, log=True))
    return read_results(simulator, folder)


def run_module(module: str, build: Path, folder: Path, arguments: list[str] | None = None) -> None:
    """Run a module of cocotb tests on the compiled bench in ``build``, with ``folder`` as job.

    BenchError with the test's own message if one fails.
    """
    log = folder / "cocotb.log"
    results = folder / "cocotb.xml"
    options = {
        "test_module": module,
        "hdl_toplevel": "tb",
        "hdl_toplevel_lang": "verilog",
        "build_dir": str(build),
        "test_dir": str(folder),
        "results_xml": str(results),
        "plusargs": arguments or [],
        "log_file": str(log),
    }
    env = {**os.environ, JOB: str(folder), "COCOTB_ANSI_OUTPUT": "0", **_python_path()}
    done = run([sys.executable, "-m", "sim.cocotb_run", json.dumps(options)], env=env)
    _check(results, log, done.stderr)


def _runner(options: str) -> None:
    """Call cocotb's runner, in a process that it may end where a test fails."""
    from cocotb_tools.runner import get_runner

    get_runner("verilator").test(**json.loads(options))


def _python_path() -> dict[str, str]:
    root = str(Path(__file__).parent.parent)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}


def _check(results: Path, log: Path, said: str) -> None:
    """BenchError for a failed test; ``said``: by the runner's process, where there is no log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else None
    tail = said if text is None else "\n".join(text.splitlines()[-40:])
    if not results.exists():
        raise BenchError(f"the simulation ended abnormally:\n{tail}")
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    if not cases:
        raise BenchError(f"cocotb ran no test:\n{tail}")
    for case in cases:
        for bad in (*case.iter("failure"), *case.iter("error")):
            raise BenchError(f"{bad.get('message') or bad.text or 'cocotb test failed'}\n{tail}")


if __name__ == "__main__":
    _runner(sys.argv[1])
