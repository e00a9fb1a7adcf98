"""Random networks over the whole range of every instruction field, exact on the interpreter."""

import numpy as np
import pytest

from benchmarks.fields import NETWORKS, compiled, page, values
from hw.arch import isa
from sim.interpreter import interpret
from sw.testing import random_images
from tests.cocotb.inference import ROOT

PARTS = 10


@pytest.fixture(scope="module")
def programs():
    """Programs that were compared, by seed."""
    return {}


@pytest.mark.parametrize("part", range(PARTS))
def test_interpreter_equals_golden_model(part, programs):
    for seed in range(part, NETWORKS, PARTS):
        network, program = compiled(seed)
        programs[seed] = program
        images = random_images(network, 2 if network.stream else 1, seed)
        want = network.run(images).logits
        for n, run in enumerate(interpret(program, images, events=False)):
            np.testing.assert_array_equal(run.logits, want[n], err_msg=f"seed {seed}")
            assert run.cycles == program.run_cycles(n), seed


def test_page_of_what_was_drawn_is_up_to_date(programs):
    if len(programs) < NETWORKS:
        pytest.skip("runs with the comparison of all networks")
    fields, cores = values(programs[seed] for seed in range(NETWORKS))
    kept = (ROOT / "docs/develop/fields.md").read_text(encoding="utf-8")
    assert page(NETWORKS, fields, cores) == kept, "python -m benchmarks.fields --output ..."
    assert set(fields["pix_shift"]) == set(range(isa.BY_NAME["pix_shift"].most + 1))
    for name in (f"centre{k}" for k in range(isa.CENTRES)):
        f = isa.BY_NAME[name]
        assert (min(fields[name]), max(fields[name])) == (f.least, f.most)
