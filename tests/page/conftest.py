"""Pages that several tests look at: of a network with attention, of a Q-SNN, of a stream."""

import pytest

import sw
from hw.arch import Config
from sw.page import gather

#: What a build reports, as far as a page reads it.
REPORT = {
    "board": {"title": "A board", "part": "part-1", "clock_hz": 80_000_000},
    "model": {"name": "digits", "accuracy": {"data": "digits", "integer_test_accuracy": 0.9917}},
    "resources": {
        "kind": "estimated",
        "items": {
            "lut": {"used": 13658, "available": 20800, "share": 0.6566},
            "dsp": {"used": 99, "available": 90, "share": 1.1},
            "cells": {"used": 7, "available": None, "share": None},
        },
    },
    "timing": {"kind": "estimated", "fmax_mhz": 93.67, "clock_mhz": 80.0, "met": True, "note": ""},
    "cycles": {
        "kind": "forecast",
        "total": 15349,
        "latency_ms": 0.1919,
        "images_per_second": 5212.1,
        "link": {"baud": 3_000_000, "bytes_per_image": 300, "images_per_second": 1000.0},
    },
    "bitstream": {"file": None, "bytes": None, "sha256": None, "reason": "no router"},
    "tools": {"yosys": "1.2"},
}


@pytest.fixture(scope="session")
def report():
    return REPORT


def made(name, **options):
    network = sw.load(name).lower(stream=options.pop("stream", False))
    program = network.compile(Config())
    return network, program, gather(program, network, **options)


@pytest.fixture(scope="session")
def digits():
    """Network, program and page with a build's report and a confusion matrix."""
    return made("digits", images=20, report=REPORT, titles={"lut": "LUT", "dsp": "DSP"})


@pytest.fixture(scope="session")
def qsnn():
    return made("digits-qsnn")


@pytest.fixture(scope="session")
def stream():
    return made("digits-qsnn", stream=True)
