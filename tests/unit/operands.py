"""Pairs of operand words for whatever counts common ones."""

import random


def vectors(width, n=3000):
    """Corners, single bits, runs, and random words of all densities, shuffled."""
    rng = random.Random(width)
    full = (1 << width) - 1
    pairs = [(0, 0), (full, full), (full, 0), (0, full)]
    pairs += [(1 << k, full) for k in range(width)] + [(full, full ^ 1 << k) for k in range(width)]
    pairs += [(full >> k, full) for k in range(width)]
    while len(pairs) < n:
        dense = rng.choice((0.1, 0.5, 0.9, 0.98))
        pairs.append(
            tuple(sum((rng.random() < dense) << k for k in range(width)) for _ in range(2))
        )
    rng.shuffle(pairs)
    return [list(column) for column in zip(*pairs, strict=True)]
