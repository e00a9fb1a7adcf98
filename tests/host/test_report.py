"""Texts of the commands."""

import numpy as np

from sw.host import report
from sw.host.device import Answer, LayerCycles


def answer(cycles, forecast):
    return Answer(
        logits=np.zeros(3, np.int64), scale=1.0, cycles=cycles, forecast=forecast, seconds=0.01
    )


def test_confusion():
    assert report.confusion([0, 2, 2, 2], [0, 2, 1, 2], 3) == [
        "label | 0 1 2",
        "    0 | 1 . .",
        "    2 | . 1 2",
    ]
    many = report.confusion([0] * 12, [0] * 12, 2)
    assert many == ["label |  0  1", "    0 | 12  ."]


def test_cycles():
    same = [answer(120, 120), answer(100, 100), answer(100, 100)]
    assert report.cycles(same) == ["cycles 100 and 120, forecast 100 and 120, all as forecast"]
    assert report.cycles([*same, answer(101, 100)]) == [
        "cycles 100 and 101 and 120, forecast 100 and 120, 1 of 4 runs DIFFER"
    ]
    spread = [answer(n, n) for n in range(100, 110)]
    assert report.cycles(spread)[0].startswith("cycles 100 to 109, ")


def test_layers():
    found = [
        LayerCycles(layer="conv", cycles=10, forecast=10),
        LayerCycles(layer="head.fc", cycles=8, forecast=7),
    ]
    assert report.layers(found) == [
        "layer    cycles  forecast",
        "conv         10        10",
        "head.fc       8         7  DIFFERENT",
    ]
    assert report.layers([]) == []


def test_speed():
    text = report.speed([answer(1, 1)] * 4, 2.0, 0.005)
    assert text == "2.0 images per second; the core alone 100.0, the line alone 200.0"
