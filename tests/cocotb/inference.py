"""Inferences on RTL of several cores, each compiled once; used by the tests beside."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

import boards
from hw.arch import Config
from sim import verilator
from sim.cocotb_run import run_cocotb
from sim.compare import save_job
from sim.simulate import commands, frames, run

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = {
    "arty_a7": boards.get("arty_a7").config,
    "ulx3s": boards.get("ulx3s").config,
    "arty_a7_100": boards.get("arty_a7_100").config,  # R = 8, C = 16, W = 32
    "r4c8w32": Config(rows=4, cols=8, width=32, col_depth=4096, res_depth=2048, prefetch=0),
    "r8c8w64": Config(rows=8, cols=8, width=64, col_depth=2048),
}
R16 = Config(
    rows=16, cols=16, width=64, row_depth=512, col_depth=2048, res_depth=1024, pix_depth=2048
)


@pytest.fixture(params=CONFIGS)
def config(request):
    """One core configuration after the other."""
    return CONFIGS[request.param]


def check(network, program, images):
    """Run under cocotb, which compares writes, logits and cycles; then the golden model."""
    images = frames(program, images)
    simulator = verilator.build(program.config)
    with tempfile.TemporaryDirectory(prefix="spikeloom-cocotb-") as name:
        folder = Path(name)
        commands(program, images).write(folder)
        save_job(folder, program, images)
        outcome = run_cocotb(simulator, folder)
    logits = np.array([r.words for r in outcome.runs])
    assert logits.tolist() == network.run(images).logits.tolist()
    forecast = [program.run_cycles(n) for n in range(len(images))]
    assert [r.counted for r in outcome.runs] == forecast
    assert [r.cycles for r in outcome.runs] == forecast
    return logits


def check_free(network, program, images):
    """As `check`, without cocotb: the same comparisons, a tenth of the time."""
    got = run(program, images, check=True)
    assert not got.mismatches, got.mismatches
    assert got.logits.tolist() == network.run(images).logits.tolist()
    assert got.cycles.tolist() == [program.run_cycles(n) for n in range(len(images))]
