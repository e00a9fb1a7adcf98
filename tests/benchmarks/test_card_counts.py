"""What a frame of a stream takes, against what runs of other frames took."""

import numpy as np
import pytest

import boards
import sw
from benchmarks.card_counts import MEMORIES, frame_counts, multiplications
from sim.interpreter import interpret


def test_multiplications_by_hand():
    assert multiplications(sw.load("vowels-qsnn").lower()) == (12 * 32 + 32 * 9, 32 + 32)
    # 8-bit weights: 3x3 on 16x16 to 16 channels, and 64 features to 10 classes
    by_weights, by_factors = multiplications(sw.load("digits-qsnn").lower(stream=True))
    assert by_weights == 16 * 9 * 256 + 64 * 10
    blocks = 2 * 16 * 256 + 3 * 32 * 64 + 3 * 64 * 16  # of each stage, with its shortcut
    assert by_factors == blocks + 64  # and the mean


@pytest.mark.parametrize("name", ["vowels-qsnn", "digits-qsnn"])
def test_every_frame_takes_the_same(name):
    network = sw.load(name).lower(stream=True)
    program = network.compile(boards.get("arty_a7").config)
    found = frame_counts(network, program)
    shape = (3, *program.input_shape)
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for run in interpret(program, frames):
        for memory, what in MEMORIES.items():
            assert len(getattr(run.events, memory)) == found.get(f"written: {what}", 0)
        words = sum(reads.words for reads in run.column_reads)
        assert words == found["words of binary weights, read or gated"]
    assert found["binary operations"] == program.total_ops
    neurons = "neurons, each with its membrane read, updated and written"
    assert found[neurons] == {"vowels-qsnn": 64, "digits-qsnn": 18_432}[name]
