"""Random networks whose means read what layers on the array make, in every way that there is."""

import numpy as np

from sw.network import Head, Mean, Residual
from tests.pooled import beginning


def meaned_network(seed, build, *, side, steps=2, bits=0, stream=False):
    """Network of the layers that ``build(maker)`` adds after 8 channels ``p``, and a head.

    ``build`` returns the names of its means.
    """
    maker = beginning(seed, side, steps=steps, bits=bits, stream=stream)
    maker.pixel("pixel", 1, 8, "p")
    names = build(maker)
    inputs = sum(maker.env[name].shape[1] for name in names)
    weight = maker.rng.integers(-30, 31, (3, inputs))
    head = {"bias": np.zeros(3, np.int64), "shift": 10, "weight_bits": 7, "scale": 1.0}
    maker.add(Head(name="logits", sources=tuple(names), weight=weight, **head), "logits")
    shape = {"steps": steps, "channels": 1, "height": side[0], "width": side[1], "classes": 3}
    return maker.network(seed, **shape, per_step_input=False, stream=stream)


def _mean(maker, name, source, shift=7, **options):
    factor = int(maker.rng.integers(-90, 90))
    bias = int(maker.rng.integers(-(1 << 20), 1 << 20))
    maker.add(
        Mean(name=name, source=source, factor=factor, bias=bias, shift=shift, **options), name
    )
    return name


def _sums(maker, inner=24):
    """Residuals r, added to by s, and t of both."""
    maker.binary("r", "p", inner, 3, "r.s", Residual(output="r"))
    maker.binary("s", "r.s", inner, 1, "s.s", Residual(output="s", inputs=("r",)))
    return inner


def _of_y(maker):
    _sums(maker)
    return [_mean(maker, "m", "s")]


def _of_y_that_others_add(maker):
    inner = _sums(maker)
    maker.binary("t", "s.s", inner, 1, "t.s", Residual(output="t", inputs=("s",)))
    maker.binary("u", "t.s", 8, 3, "u.s")
    return [_mean(maker, "m", "t", 4), _mean(maker, "n", "u.s", 14)]


def _of_spikes(maker):
    maker.binary("a", "p", 40, 3, "a.s")
    return [_mean(maker, "m", "a.s", 4)]


def _of_spikes_that_an_image_is_made_of(maker):
    maker.binary("a", "p", 20, 3, "a.s")
    maker.binary("b", "a.s", 24, 3, "b.s")
    return [_mean(maker, "m", "a.s", 10), _mean(maker, "n", "b.s", 4)]


def _of_two_buffers(maker):
    maker.binary("r", "p", 24, 1, "r.s", Residual(output="r"))
    maker.binary("s", "r.s", 24, 1, "s.s", Residual(output="s"))
    maker.binary("t", "s.s", 24, 1, "t.s", Residual(output="t", inputs=("r", "s")))
    maker.binary("u", "t.s", 24, 1, None, Residual(output="u", inputs=("s", "t")))
    return [_mean(maker, "m", "t"), _mean(maker, "n", "u")]


def _twice(maker):
    maker.binary("a", "p", 16, 1, "a.s")
    return [_mean(maker, "m", "a.s", 4), _mean(maker, "n", "a.s", 7)]


def _of_pixels_and_tokens(maker):
    maker.binary("a", "p", 20, 1, "a.s")
    return [_mean(maker, "m", "p", 4), _mean(maker, "n", "a.s", 7, over_tokens=False)]


#: Name to a function that gives the network, and the means that lanes sum on the way.
MEANED = {
    "y": lambda: (meaned_network(1, _of_y, side=(7, 9)), ["m"]),
    "y and more": lambda: (meaned_network(2, _of_y_that_others_add, side=(5, 7)), ["m", "n"]),
    "spikes": lambda: (meaned_network(3, _of_spikes, side=(6, 5), steps=3), ["m"]),
    "codes": lambda: (meaned_network(4, _of_spikes, side=(5, 5), bits=4), ["m"]),
    "stream": lambda: (
        meaned_network(5, _of_spikes, side=(6, 6), steps=1, bits=2, stream=True),
        ["m"],
    ),
    "an image": lambda: (
        meaned_network(6, _of_spikes_that_an_image_is_made_of, side=(5, 6)),
        ["m", "n"],
    ),
    "two buffers": lambda: (meaned_network(7, _of_two_buffers, side=(4, 6)), ["m", "n"]),
    "twice": lambda: (meaned_network(8, _twice, side=(6, 6)), ["m"]),
    "one token": lambda: (meaned_network(9, _of_spikes, side=(1, 1), steps=1), []),
    "other means": lambda: (meaned_network(10, _of_pixels_and_tokens, side=(6, 6)), []),
}


def meaned_networks():
    """All of them, by name."""
    for name, make in MEANED.items():
        yield name, make()[0]
