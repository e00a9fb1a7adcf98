# amaranth: UnusedElaboratable=no
"""What a compiled simulator counts is what is synthesised, for all operands.

The simulated popcount is a call of ``$countones``. Both forms are proved to be the count of common
ones; the behavioural one and those of vendors' cells in `tests.proofs.test_array`.
"""

import pytest

from hw.core.popcount import SimulatedPopcount
from sim.verilator import COUNTONES
from tests.proofs.bdd import Functions, bits, graph, interleaved


def counts(width, folder, source=COUNTONES):
    """Whether the simulated popcount is the count for every pair of operands."""
    g = graph(SimulatedPopcount(width), folder, sources=[source])
    f = Functions(interleaved(("a", width), ("b", width)))
    return f.differ(bits(f.of(g), "o"), f.count(width)) == f.bdd.false


@pytest.mark.parametrize("width", [8, 16, 32, pytest.param(64, marks=pytest.mark.slow)])
def test_simulated_count(width, tmp_path):
    assert counts(width, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"), [("$countones(a)", "$countones(a[WIDTH-1:1])"), ("$countones(a)", "a")]
)
def test_a_wrong_count_is_found(old, new, tmp_path):
    wrong = tmp_path / "wrong.sv"
    text = COUNTONES.read_text(encoding="utf-8")
    assert text.count(old) == 1
    wrong.write_text(text.replace(old, new), encoding="utf-8")
    (tmp_path / "proof").mkdir()
    assert not counts(32, tmp_path / "proof", wrong)
