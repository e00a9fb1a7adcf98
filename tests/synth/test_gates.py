"""Whole inferences on cores whose arrays and multipliers are vendors' cells, by Yosys' models.

Every write, the logits and the cycles are those of the interpreter, as in tests/cocotb; the rest of
the core is the same RTL. Networks are small, and cover what an array is asked for: both orders of
attention, XNOR maps, signed and unsigned weights, multi-bit inputs, stored membranes.
"""

import tempfile
from pathlib import Path

import pytest

import sw
from hw.arch import Config
from hw.core.core import Core
from hw.tools.export import rtlil_text
from hw.tools.yosys import run_yosys
from sim import verilator
from sw.compiler import compile_network
from sw.data.digits import load_digits
from sw.testing import random_images, random_network, random_residual_network
from tests.cocotb.inference import check_free
from tests.unit.netlist import models

CONFIG = Config(rows=4, cols=8, width=32, col_depth=4096, res_depth=2048)
SMALL = {
    "height": 8,
    "width": 8,
    "channels": 1,
    "dim": 32,
    "depth": 1,
    "heads": 2,
    "mlp_ratio": 2,
    "variant": "cifar",
    "classes": 5,
}
NETWORKS = {
    "qk": lambda: random_network(1, **SMALL, steps=3, order="qk", similarity="and"),
    "kv": lambda: random_network(2, **SMALL, steps=2, order="kv", similarity="and"),
    "xnor": lambda: random_network(3, **SMALL, steps=2, order="qk", similarity="xnor"),
    "stored": lambda: random_residual_network(
        4, height=8, width=8, channels=2, widths=(16, 24), blocks=(1, 1), bits=4, steps=2, classes=5
    ),
    "digits": lambda: sw.load("digits").lower(),
    "digits-qsnn": lambda: sw.load("digits-qsnn").lower(),
}


def gates(family: str) -> verilator.Simulator:
    """Return a simulator of the core with the models of ``family``'s cells in it."""
    with tempfile.TemporaryDirectory(prefix="spikeloom-gates-") as name:
        folder = Path(name)
        text = rtlil_text(Core(CONFIG, trace=True, target=family), name="core")
        (folder / "core.il").write_text(text, encoding="utf-8")
        run_yosys(
            [
                *models(family, folder),
                "read_rtlil core.il",
                "hierarchy -top core -check",
                "proc -nomux -norom",
                "flatten",
                "opt_clean -purge",
                "delete t:$scopeinfo",
                "memory_collect",
                "write_verilog -sv -norename core.v",
            ],
            cwd=folder,
            name="gates",
        )
        verilog = (folder / "core.v").read_text(encoding="utf-8")
    assert "DSP48E1" not in verilog
    assert "CCU2C " not in verilog
    return verilator.compile_verilog(verilog, CONFIG.rows, CONFIG.cols, CONFIG.width)


@pytest.fixture(scope="module", params=["xc7", "ecp5"])
def simulated(request):
    """Let ``sim`` run this core instead of the behavioural one."""
    made = gates(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verilator, "build", lambda config, wave="": made)
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_inference(simulated, name):
    network = NETWORKS[name]()
    if name.startswith("digits"):
        images, program = load_digits().test_images[:2], network.compile(CONFIG)
    else:
        images, program = random_images(network, 2, 7), compile_network(network, CONFIG)
    check_free(network, program, images)
