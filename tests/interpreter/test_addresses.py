"""What each index adds to an address, against a sequencer that adds delta after delta."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from hw.arch.isa import LEVELS
from sim.interpreter.addresses import offsets
from tests.interpreter.made import instruction

DELTA = st.integers(-300, 300)
NAMES = [*LEVELS, "dx2", "dy2"]


@settings(deadline=None)
@given(
    st.fixed_dictionaries({f"n_{level}": st.integers(1, 3) for level in LEVELS}),
    st.fixed_dictionaries({name: DELTA for name in NAMES}),
    st.sampled_from(["row", "col"]),
)
def test_every_address_of_the_loops(counts, deltas, prefix):
    other = {"row": "col", "col": "row"}[prefix]
    fields = {f"{prefix}_{name}": value for name, value in deltas.items()}
    i = instruction(**counts, **fields, **{f"{other}_k": 9999})
    walk = offsets(i, prefix)
    address, tile, before = 0, 0, None
    outermost_first = [range(counts[f"n_{level}"]) for level in reversed(LEVELS)]
    for indices in itertools.product(*outermost_first):
        index = dict(zip(reversed(LEVELS), indices, strict=True))
        if before is not None:
            # one level advances: the innermost that is not rewound
            level = next(name for name in LEVELS if index[name] > before[name])
            odd = level in ("dx", "dy") and before[level] % 2 == 1
            outer = level not in LEVELS[:3]
            address = (tile if outer else address) + deltas[level + "2" * odd]
            tile = address if outer else tile
        assert sum(int(walk[name][index[name]]) for name in LEVELS) == address
        before = index
    assert {name: len(walk[name]) for name in LEVELS} == {
        name: counts[f"n_{name}"] for name in LEVELS
    }
