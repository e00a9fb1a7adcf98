"""Usual values of what a user gives, from the checkpoint to a netlist that passed its checks."""

import json

import numpy as np
import pytest

import boards
import sw
from hw.build import build
from sim.interpreter import interpret
from sw.compiler import Program
from sw.testing import random_images
from tests.frontend.states import make_state
from tests.lower.norms import NORMS

#: A core of few columns, so that synthesis takes a minute.
SMALL = (
    "rows=4,cols=8,width=32,row_depth=1024,col_depth=1024,res_depth=512,pix_depth=1024,"
    "state_bits=0,acc_bits=12"
)


#: The core without what makes it fast, each part on its own switch.
BARE = "pixels=1,pool_depth=0,means=0,prefetch=0"


@pytest.mark.parametrize(
    ("board", "clock", "norm", "size", "form"),
    [
        ("ulx3s", 40_000_000, "cifar10", [13, 11], "pixels=0"),
        ("arty_a7", 80_000_000, "imagenet", [12, 12], "pixels=0"),
        ("arty_a7", 60_000_000, "cifar10", [13, 11], BARE),
        ("arty_a7", 62_500_000, "imagenet", [9, 14], "pixels=2,pool_depth=256"),
    ],
)
def test_from_checkpoint_to_checked_netlist(board, clock, norm, size, form, tmp_path):
    mean, std = NORMS[norm]
    np.savez(tmp_path / "net.npz", **make_state(2, channels=len(mean)))
    side = {"mean": list(mean), "std": list(std), "image_size": size}
    (tmp_path / "net.json").write_text(json.dumps(side), encoding="utf-8")
    given, core = boards.get(board), f"{SMALL},{form}"
    options = {"config": core, "clock": clock / 1e6, "last": "check"}
    build(given, str(tmp_path / "net.npz"), tmp_path / "out", **options)
    checked = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert 0 < checked["resources"]["lut"] < given.die.resources["lut"]
    assert made_clock(tmp_path / "out" / "top.json", given) == clock
    network = sw.IntegerNetwork.load(tmp_path / "out" / "network.npz")
    assert [network.height, network.width, network.channels] == [*size, len(mean)]
    program = Program.load(tmp_path / "out" / "program.npz")
    images = random_images(network, 1)
    (run,) = interpret(program, images, events=False)
    assert run.logits.tolist() == network.run(images).logits[0].tolist()


def made_clock(netlist, board):
    """Hz that the PLL in a netlist makes of the board's clock."""
    top = json.loads(netlist.read_text(encoding="utf-8"))["modules"]["top"]["cells"].values()
    (pll,) = [cell for cell in top if cell["type"] in ("EHXPLLL", "PLLE2_ADV")]
    n = {name: int(value, 2) for name, value in pll["parameters"].items() if set(value) <= {*"01"}}
    source = int(board.make_platform().default_clk_frequency)
    if pll["type"] == "EHXPLLL":
        return source * n["CLKFB_DIV"] // n["CLKI_DIV"]
    return source * n["CLKFBOUT_MULT"] // (n["DIVCLK_DIVIDE"] * n["CLKOUT0_DIVIDE"])
