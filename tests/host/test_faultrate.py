"""Sizes of frames for a line's faults."""

import random

import pytest

from sw.host.faultrate import FIRST, LEAST, MOST, OVERHEAD, FaultRate


def after(rate, frames=2000, seed=0):
    """What is reckoned after frames over a line that breaks bytes at ``rate``."""
    known, rng = FaultRate(), random.Random(seed)
    sizes = []
    for _ in range(frames):
        size = known.payload
        sizes.append(size)
        known.sent(size, lost=rng.random() > (1 - rate) ** (size + OVERHEAD))
    return known, sizes[frames // 2 :]


@pytest.mark.parametrize("rate", [1e-3, 3e-3, 1e-2, 3e-2])
def test_frames_have_the_size_that_moves_most(rate):
    """Within the size whose speed is nine tenths of the best one's, on average."""
    _, sizes = after(rate)

    def speed(size):
        return size / (size + OVERHEAD) * (1 - rate) ** (size + OVERHEAD)

    best = max(speed(size) for size in range(LEAST, MOST + 1, 4))
    assert sum(map(speed, sizes)) / len(sizes) > 0.9 * best


def test_a_clean_line_has_the_longest_frames():
    known, sizes = after(0)
    assert set(sizes) == {MOST}
    assert known.window > 100_000


def test_nothing_is_known_at_first():
    assert FaultRate().rate == pytest.approx(FIRST)


def test_a_line_that_breaks_all_has_the_shortest_frames():
    known, sizes = after(1.0)
    assert LEAST <= max(sizes) < 2 * LEAST
    assert known.window <= 4 * (2 * LEAST + OVERHEAD)


def test_words_are_whole():
    known = FaultRate()
    for n in range(200):
        assert known.payload % 4 == 0
        known.sent(known.payload, lost=n % 3 == 0)
