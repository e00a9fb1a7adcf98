"""The report of a build: each section by hand, and the whole text."""

import copy
import dataclasses
import json
import textwrap

import numpy as np
import pytest

from hw.arch import isa
from hw.arch.config import Config
from hw.arch.isa import Op
from hw.build import report
from hw.targets.ecp5 import Ecp5
from hw.targets.xc7 import Xc7
from sw.compiler import Forecast, Label, Program, Region

CLOCK = 50_000_000

TITLES = {**Ecp5.titles, **Xc7.titles}


@pytest.fixture(scope="module")
def program():
    """A program of one GEMM with membranes of 4 bits in memory, and regions in no order."""
    config = Config(rows=4, cols=8, width=32, row_depth=64, res_depth=128, pix_depth=512)
    levels = dict.fromkeys((f"n_{level}" for level in isa.LEVELS), 1)
    fields = levels | {"theta": 5, "leak": 1, "persist": 1, "state_bits": 1, "n_j": 2, "res_j": 3}
    words = isa.encode(Op.GEMM, **fields) + isa.encode(Op.HALT, **levels)
    return Program(
        name="tiny",
        config=config,
        digest=config.digest,
        version=3,
        words=np.array(words, np.uint32),
        columns=np.zeros((8, 0, 1), np.uint32),
        steps=1,
        input_shape=(3, 10, 10),
        image_memory="pix",
        image_base=0,
        logits_base=300,
        classes=10,
        logits_scale=1.0,
        labels=(
            Label(layer="fc", op="GEMM", tensor="x", kind="spikes", shape=(20, 1, 1)),
            Label(layer="(end)", op="HALT"),
        ),
        forecast=(
            Forecast(layer="fc", op="GEMM", cycles=2999),
            Forecast(layer="(end)", op="HALT", cycles=1),
        ),
        regions=(
            Region(name="late", memory="row", base=20, size=12),
            Region(name="b", memory="row", base=0, size=30),
            Region(name="a", memory="row", base=0, size=8),
            Region(name="constants", memory="col", base=4, size=100),
            Region(name="program", memory="prog", base=0, size=58),
        ),
        ops=(("fc", 1000), ("gone", 234)),
        stream=True,
    )


def test_resources():
    used = {"lut": 300, "bram18": 2, "cells": 7}
    assert report.resources("placed", used, {"lut": 900, "ff": 5, "bram18": 0}) == {
        "kind": "placed",
        "items": {
            "lut": {"used": 300, "available": 900, "share": 0.3333},
            "bram18": {"used": 2, "available": 0, "share": None},
            "cells": {"used": 7, "available": None, "share": None},
        },
    }


@pytest.mark.parametrize(
    ("mhz", "rounded", "met"),
    [(61.23456, 61.23, True), (50.0, 50.0, True), (49.999, 50.0, False)],
)
def test_timing(mhz, rounded, met):
    assert report.timing("estimated", mhz, CLOCK) == {
        "kind": "estimated",
        "fmax_mhz": rounded,
        "clock_mhz": 50.0,
        "met": met,
        "note": "",
    }
    assert report.timing("placed", mhz, CLOCK, "by hand")["note"] == "by hand"


def test_cycles(program):
    """300 pixels in two frames of WRITE_BYTES, START, and RESULT, while the core computes."""
    frame = 9
    count = 2 * (frame + 4) + 300 + (frame + 6) + (frame + 5)
    assert report.cycles("forecast", program, CLOCK) == {
        "kind": "forecast",
        "total": 3000,
        "latency_ms": 0.06,
        "images_per_second": 16666.7,
        "link": {
            "baud": 3_000_000,
            "bytes_per_image": count,
            "images_per_second": round(3_000_000 / (10 * count), 1),
        },
        "layers": [
            {"layer": "fc", "op": "GEMM", "cycles": 2999},
            {"layer": "(end)", "op": "HALT", "cycles": 1},
        ],
        "operations": {
            "total": 1234,
            "per_cycle": 0.4,
            "peak_per_cycle": 1024,
            "share_of_peak": 0.0004,
            "layers": {"fc": 1000, "gone": 234},
        },
    }


def test_cycles_that_were_counted(program):
    found = report.cycles("simulated", program, CLOCK, 1500)
    assert (found["kind"], found["total"], found["latency_ms"]) == ("simulated", 1500, 0.03)
    assert found["images_per_second"] == 33333.3
    assert found["operations"]["per_cycle"] == 0.8
    assert found["operations"]["share_of_peak"] == 0.0008
    forecast = report.cycles("forecast", program, CLOCK)
    assert found["link"] == forecast["link"]  # which takes longer than the core
    slow = report.cycles("simulated", program, CLOCK, CLOCK)
    assert slow["link"]["images_per_second"] == slow["images_per_second"] == 1


def test_latency_keeps_four_places(program):
    assert report.cycles("simulated", program, CLOCK, 12345)["latency_ms"] == 0.2469


def test_memory_map(program):
    """Regions by address, those of one address by name; ``used`` counts from word 0."""
    assert report.memory_map(program) == {
        "prog": {
            "banks": 1,
            "width": 32,
            "depth": 1024,
            "used": 58,
            "regions": [{"name": "program", "base": 0, "size": 58}],
        },
        "col": {
            "banks": 8,
            "width": 32,
            "depth": 1024,
            "used": 104,
            "regions": [{"name": "constants", "base": 4, "size": 100}],
        },
        "row": {
            "banks": 4,
            "width": 32,
            "depth": 64,
            "used": 32,
            "regions": [
                {"name": "a", "base": 0, "size": 8},
                {"name": "b", "base": 0, "size": 30},
                {"name": "late", "base": 20, "size": 12},
            ],
        },
        "res": {"banks": 16, "width": 18, "depth": 128, "used": 0, "regions": []},
        "pix": {"banks": 1, "width": 18, "depth": 512, "used": 0, "regions": []},
    }


def test_membranes(program):
    assert report.membranes(program) == {
        "count": 20,
        "bits": [4],
        "in_memory": True,
        "bits_at_width": {"2": 40, "4": 80, "8": 160, "18": 360},
        "words_at_width": {"2": 3, "4": 6, "8": 12, "18": 24},
    }


def test_json_keeps_order_and_letters():
    text = report.to_json({"b": "µ", "a": [1]})
    assert text == '{\n "b": "µ",\n "a": [\n  1\n ]\n}\n'
    assert json.loads(text) == {"b": "µ", "a": [1]}


@pytest.fixture
def whole(program):
    """A report with all its optional parts."""
    return copy.deepcopy(
        {
            "board": {"title": "Some Board", "part": "xc7-1"},
            "model": {
                "name": "tiny",
                "accuracy": {"data": "digits", "float_test_accuracy": 0.9876},
                "integer_accuracy_note": "not measured: no data",
            },
            "core": program.config.as_dict(),
            "resources": report.resources(
                "placed",
                {
                    "lut": 12345,
                    "lut_as_memory": 99,
                    "ff": 678,
                    "bram36": 135,
                    "bram18": 2.5,
                    "dsp": 0,
                    "pll": 1,
                },
                {"lut": 63400, "lut_as_memory": 19000, "bram36": 135, "dsp": 240},
            ),
            "timing": report.timing("placed", 61.234, CLOCK, "clock clk"),
            "cycles": report.cycles("forecast", program, CLOCK),
            "memory": report.memory_map(program),
            "membranes": report.membranes(program),
            "bitstream": {"file": "top.bit", "bytes": 4321, "reason": None},
            "tools": {"yosys": "0.70", "a long name": "1.2.3"},
        }
    )


WHOLE = """\
    tiny on Some Board (xc7-1)
    core: 4 rows x 8 columns x 32 bits

    data: digits
    float test accuracy: 0.9876
    integer accuracy: not measured: no data

    resources (placed)
      LUT                  12345 of   63400   19.5 %
      LUT as memory           99 of   19000    0.5 %
      flip-flop              678            |
      RAMB36                 135 of     135  100.0 %
      DP16KD (18 kbit)       2.5            |
      DSP                      0 of     240    0.0 %
      pll                      1            |

    clock: 50 MHz, met; fmax 61.23 MHz (placed)
      clock clk

    cycles for one image (exact forecast): 3000 = 0.06 ms
    images per second: 16666.7 by the core alone, at most 845.1 with the link at 3 Mbaud \
(355 bytes for each)
      0.4 of 1024 binary operations per cycle, 0.0 % of peak
           2999  GEMM   fc
              1  HALT   (end)

    memories
      prog: 1 x 1024 x 32 bits, words 0 to 57 used
             0 to     57  program
      col: 8 x 1024 x 32 bits, words 0 to 103 used
             4 to    103  constants
      row: 4 x 64 x 32 bits, words 0 to 31 used
             0 to      7  a
             0 to     29  b
            20 to     31  late
      res: 16 x 128 x 18 bits
      pix: 1 x 512 x 18 bits

    membranes: 20 of 4 bits, in residual memory; bits in memory by width: 40 at 2, 80 at 4, \
160 at 8, 360 at 18

    bitstream: top.bit, 4321 bytes

    tools
      yosys: 0.70
      a long name: 1.2.3
"""


def test_whole_text(whole):
    """A bar stands for the end of a line that ends in blanks."""
    lines = textwrap.dedent(WHOLE).split("\n")
    assert report.to_text(whole, TITLES).split("\n") == [line.removesuffix("|") for line in lines]


def section(value: dict, start: str) -> list[str]:
    """Return the lines from the one that begins with ``start`` to the next empty one."""
    lines = report.to_text(value, TITLES).split("\n")
    first = next(n for n, line in enumerate(lines) if line.startswith(start))
    return lines[first : lines.index("", first)]


def test_text_without_accuracy(whole):
    """Neither a line nor a gap is left where nothing is known; each part stands alone too."""
    model = whole["model"]
    for accuracy in (None, {}):
        model["accuracy"] = accuracy
        assert report.to_text(whole, TITLES).split("\n")[2:5] == [
            "",
            "integer accuracy: not measured: no data",
            "",
        ]
    del model["accuracy"], model["integer_accuracy_note"]
    assert report.to_text(whole, TITLES).split("\n")[1:4] == [
        "core: 4 rows x 8 columns x 32 bits",
        "",
        "resources (placed)",
    ]
    model["accuracy"] = {"data": "digits"}
    assert report.to_text(whole, TITLES).split("\n")[2:6] == [
        "",
        "data: digits",
        "",
        "resources (placed)",
    ]


def test_text_of_a_clock_that_is_not_met(whole):
    whole["timing"] = report.timing("estimated", 12.5, CLOCK)
    assert section(whole, "clock") == ["clock: 50 MHz, NOT met; fmax 12.5 MHz (estimated)"]


def test_text_of_simulated_cycles(whole, program):
    whole["cycles"] = report.cycles("simulated", program, CLOCK, 6000)
    whole["cycles"]["link"] |= {"baud": 2_500_000}
    whole["cycles"]["operations"] |= {"share_of_peak": 0.4567}
    lines = section(whole, "cycles")
    assert lines[0] == "cycles for one image (simulated): 6000 = 0.12 ms"
    assert "with the link at 2.5 Mbaud (355 bytes" in lines[1]
    assert lines[2] == "  0.2 of 1024 binary operations per cycle, 45.7 % of peak"


def test_text_of_membranes_in_the_lanes(whole):
    whole["membranes"] |= {"in_memory": False, "bits": [4, 18]}
    assert section(whole, "membranes") == [
        "membranes: 20 of 4 and 18 bits, in the lanes, none in memory; bits in memory by width: "
        "40 at 2, 80 at 4, 160 at 8, 360 at 18"
    ]


def test_text_without_bitstream(whole):
    whole["bitstream"] = {"file": None, "bytes": None, "reason": "no tool"}
    assert section(whole, "bitstream") == ["bitstream: none; no tool"]


def test_words_of_a_schema():
    """What readers of report.json count on."""
    assert report.SCHEMA == 2
    assert report.KINDS == ("estimated", "forecast", "simulated", "placed")
    assert set(report.CYCLES) <= set(report.KINDS)


def test_residual_words_have_the_width_of_the_core(program):
    narrow = dataclasses.replace(program.config, res_bits=1, res_depth=16)
    told = report.memory_map(dataclasses.replace(program, config=narrow))
    assert (told["res"]["width"], told["pix"]["width"]) == (1, 18)
