"""What the mover does in a run, by hand and word by word."""

import random

import pytest

from hw.arch.outside import HALVES, Contract, Transfers


def test_a_block_comes_after_its_order_by_the_contract():
    """Taken in 5, seen in 6, asked for in 7; 3 words from 17 on, 2 cycles apart, and one to land.

    The last word is there in 21, goes to memory in 22, and is counted in 23.
    """
    transfers = Transfers(Contract(latency=10, period=2), free=4)
    assert transfers.order(5, words=3, blocks=1) == 5
    assert transfers.block() == 7 + 10 + 2 * 2 + 2


def test_two_blocks_come_before_a_column_tile_has_ended_and_the_third_after():
    transfers = Transfers(Contract(latency=1, period=1), free=4)
    transfers.order(0, words=8, blocks=3)
    first, second = transfers.block(), transfers.block()
    assert (first, second) == (2 + 1 + 7 + 2, first + 1 + 7 + 2)
    transfers.end(100)
    assert transfers.block() == 104 + 1 + 7 + 2
    assert HALVES == 2


def test_one_order_waits_and_the_next_is_taken_when_it_has_begun():
    transfers = Transfers(Contract(latency=1, period=1), free=4)
    assert transfers.order(0, words=8, blocks=1) == 0
    assert transfers.order(1, words=8, blocks=1) == 2  # the first one has left its place
    done = transfers.block()
    transfers.end(done + 5)
    assert transfers.order(4, words=8, blocks=1) == done + 1  # the mover looks in ``done``
    assert transfers.block() == done + 1 + 1 + 7 + 2


def test_what_would_wait_for_ever_is_an_assertion():
    transfers = Transfers(Contract(), free=4)
    with pytest.raises(AssertionError, match="no move brings"):
        transfers.block()
    for _ in range(2):
        transfers.order(0, words=1, blocks=1)
    with pytest.raises(AssertionError, match="column tiles that come after it"):
        transfers.order(0, words=1, blocks=1)


@pytest.mark.parametrize("seed", range(30))
def test_busy_cycles_as_word_by_word(seed):
    """A word goes to memory in the first free cycle after it and the one before it are there."""
    rng = random.Random(seed)
    latency, period, words = rng.randrange(1, 30), rng.randrange(1, 5), rng.randrange(1, 80)
    busy = {n for n in range(600) if rng.random() < rng.choice([0, 0.1, 0.6])}
    transfers = Transfers(Contract(latency=latency, period=period), free=4)
    transfers.busy(n for n in busy if n < 100)
    transfers.busy(n for n in busy if n >= 50)
    transfers.order(0, words=words, blocks=1)
    went = there = 2 + latency - 1
    for word in range(words):
        there = max(there + 1, 2 + latency + word * period)  # and after the one before was taken
        taken = max(there, went) if word else there
        went, there = taken + 1, taken
        while went in busy:
            went += 1
    assert transfers.block() == went + 1
