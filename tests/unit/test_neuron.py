"""Neuron alone against the golden one, in the cycles its docstring states."""

import dataclasses

import numpy as np
import pytest

from hw.arch.formats import MEMBRANE_MAX, MEMBRANE_MIN
from hw.core.neuron import KEPT, Neuron
from sw.golden import ops
from tests.unit.bench import Bench
from tests.unit.lanes import CONFIG, numbers

INPUTS = ["mode", "y", "fire", "row", "start", "put", "put_row", "put_v"]
OUTPUTS = ["u", "fired", "spike_kept", "spike"]


@pytest.fixture(scope="module")
def benches():
    return {
        bits: Bench(Neuron(dataclasses.replace(CONFIG, state_bits=bits)), INPUTS, OUTPUTS)
        for bits in (0, 8)
    }


@pytest.mark.parametrize("bits", [0, 8])
@pytest.mark.parametrize("soft", [0, 1], ids=["hard", "soft"])
@pytest.mark.parametrize("theta", [0, 1, 900])
def test_steps_of_four_rows(benches, theta, soft, bits):
    """Rows one after the other, several steps each; spike a cycle later; kept at once."""
    rng, rows, want = np.random.default_rng(theta), [], []
    v = np.zeros(4, np.int64)
    for t in range(12):
        y = np.array(numbers(rng, -3 * theta - 9, 3 * theta + 9, 4))
        keep = int(rng.integers(2))
        v, s = ops.lif_step(v if t % 6 else np.zeros_like(v), y, theta, soft=bool(soft))
        for r in range(4):
            mode = {"theta": theta, "soft": soft, "fires": int(theta != 0), "keeps_spike": keep}
            rows.append(
                {"mode": mode, "y": int(y[r]), "fire": 1, "row": r}
                | {"start": int(t % 6 == 0), "put": 1, "put_row": r, "put_v": 98}
            )
            spike = int(s[r]) if theta else 0
            want.append((spike, spike * keep))
    seen = benches[bits].play([*rows, {}])
    for n, (spike, kept) in enumerate(want):
        assert seen[n]["spike_kept"] == kept, n
        assert seen[n + Neuron.latency]["spike"] == spike, n


def test_a_leaky_neuron_takes_its_membrane_from_outside(benches):
    """What is put a cycle before the step is its v, an even number; the step itself puts none."""
    mode = {"theta": 500, "leak": 1}
    ends = [side << KEPT - 1 for side in (1, -1)]
    for v in (0, 2, -2, 2 * MEMBRANE_MAX, 2 * MEMBRANE_MIN, 78, ends[0] - 2, ends[1]):
        rows = [
            {"mode": mode, "put": 1, "put_row": 2, "put_v": v},
            {"mode": mode, "y": 40, "fire": 1, "row": 2},
            {"mode": mode, "y": 40, "row": 2},
        ]
        seen = benches[8].play(rows)
        assert [s["u"] for s in seen[1:]] == [v + 40] * 2
        assert seen[1]["fired"] == (v + 40 >= 500)
