"""What only cards of streams tell, against counts by hand."""

import numpy as np
import pytest

import boards
import sw
from benchmarks.card_streams import MEMORIES, SOON, frame_counts, how_soon, multiplications
from sim.interpreter import interpret
from tests.host.utterances import made


def test_how_soon_the_answer_is_right():
    """Counted anew, sequence by sequence."""
    network, data = sw.load("vowels-qsnn").lower(), made()
    frames, lengths = data.test_images, data.test_lengths
    first = [network.run(f[:1]).logits[0] for f in frames]
    labels = np.argmax(first, axis=1)
    labels[0] = (labels[0] + 1) % 9
    found = how_soon(network, frames, lengths, labels)
    assert list(found["accuracy_after"]) == [str(n) for n in SOON]
    assert found["accuracy_after"]["1"] == pytest.approx(2 / 3)
    whole = network.run_sequences(frames, lengths).predictions
    assert found["accuracy_after"]["10"] == (whole == labels).mean()
    sums = [
        sum(network.run(f[n : n + 1]).logits[0] for n in range(length))
        for f, length in zip(frames, lengths.tolist(), strict=True)
    ]
    assert found["accuracy_forgetting"] == (np.argmax(sums, axis=1) == labels).mean()


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
