"""Learning rates and the order of images."""

import pytest
import torch

from sw.families.bestformer.options import BestformerOptions
from sw.families.qsnn.options import QsnnOptions
from sw.train.schedule import image_order, learning_rate


@pytest.mark.parametrize(
    ("epochs", "warmup", "warms"),
    [
        (1, None, 0.2),
        (4, None, 0.8),
        (10, None, 2),
        (25, None, 5),
        (50, None, 5),
        (300, None, 5),
        (4, 5, 5),
        (4, 0, 0),
        (50, 1.5, 1.5),
    ],
)
def test_warmup_is_a_fifth_of_few_epochs_unless_given(epochs, warmup, warms):
    options = BestformerOptions(epochs=epochs, warmup=warmup)
    assert options.warms == pytest.approx(warms)
    assert options.to_json()["warmup"] == options.warms  # a state says what was done
    rates = [learning_rate(options, epochs * i / 1000) for i in range(1001)]
    if warms < epochs:
        assert max(rates) == pytest.approx(options.lr, rel=1e-2)
        assert rates[-1] == pytest.approx(0, abs=1e-9)
        assert rates.index(max(rates)) == pytest.approx(1000 * warms / epochs, abs=1)
    else:
        assert max(rates) < options.lr
    assert QsnnOptions(epochs=4).warms == 0


@pytest.mark.parametrize(
    ("progress", "share"),
    [
        (0.0, 0.0),
        (0.5, 0.25),
        (1.5, 0.75),
        (2.0, 1.0),
        (4.0, 0.5 * (1 + 2**-0.5)),  # a quarter of the cosine
        (6.0, 0.5),
        (10.0, 0.0),
        (12.0, 0.0),
    ],
)
def test_rate_rises_to_its_peak_and_falls_as_a_cosine(progress, share):
    options = BestformerOptions(epochs=10, warmup=2, lr=0.5)
    assert learning_rate(options, progress) == pytest.approx(0.5 * share, abs=1e-12)


def test_a_warmup_of_all_epochs_ends_at_zero():
    options = BestformerOptions(epochs=4, warmup=4, lr=0.5)
    assert learning_rate(options, 3.0) == 0.375
    assert learning_rate(options, 4.0) == 0.0


def test_order_is_that_of_seed_and_epoch():
    options = BestformerOptions(seed=3)
    first = image_order(options, 2, 50)
    assert sorted(first.tolist()) == list(range(50))
    assert torch.equal(image_order(options, 2, 50), first)
    others = [
        image_order(options, 3, 50),
        image_order(options, 1, 50),
        image_order(BestformerOptions(seed=2), 2, 50),
        image_order(BestformerOptions(seed=4), 1, 50),
    ]
    assert not any(torch.equal(first, other) for other in others)
    generator = torch.Generator().manual_seed(3_000_011)  # resumed runs depend on it
    assert torch.equal(first, torch.randperm(50, generator=generator))


def test_order_leaves_the_global_rng_alone_and_takes_the_largest_seed():
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    image_order(BestformerOptions(seed=2**63 - 1), 7, 20)
    assert torch.equal(torch.rand(3), want)
