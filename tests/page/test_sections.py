"""The words and tables of a page: numbers equal those of what they are made of."""

import dataclasses

import numpy as np

from sw.page.facts import Checked
from sw.page.sections import about, sections, tiles

CELLS = str.maketrans("", "", "\u202f")


def tables(page):
    return {
        (s.key, t.title): [[c.translate(CELLS) for c in row] for row in t.rows]
        for s in sections(page)
        for t in s.tables
    }


def test_numbers_are_the_reports(digits, report):
    network, program, page = digits
    found = tables(page)
    assert found["resources", "resources, estimated"] == [
        ["LUT", "13658", "20800", "65.7%"],
        ["DSP", "99", "90", "110.0%"],
        ["cells", "7", "–", "–"],
    ]
    *rows, total = found["bound", "cycles, operations and bound by layer"]
    assert [int(r[1]) for r in rows] == [s.cycles for s in page.timeline.spans]
    assert (int(total[1]), int(total[3])) == (program.cycles, program.total_ops)
    assert total[5] == f"{100 * program.share:.1f}%"
    regions = found["memory", "regions"]
    assert len(regions) == len(program.regions)
    logits = [int(r[1]) for r in found["image", "logits"]]
    assert logits == network.run(page.sample.pixels[None]).logits[0].tolist()
    matrix = found["confusion", "images by label and answer"]
    assert np.array([r[1:] for r in matrix], int).tolist() == page.confusion.counts.tolist()
    spikes = found["spikes", "spikes and rates by tensor and step"]
    assert [int(r[4]) for r in spikes] == [n for s in page.spikes for n in s.counts]
    words = {(r[0], r[1]): list(map(int, r[2:])) for r in found["traffic", "by layer"]}
    assert len(words) == len(page.accesses)
    assert sum(r[0] for r in words.values()) == sum(a.reads for a in page.accesses)


def test_tiles(digits):
    told = {t.name: t.value.translate(CELLS) for t in tiles(digits[2])}
    assert told["accuracy"] == "99.17%"
    assert told["latency"] == "0.1919 ms"
    assert told["cycles"] == str(digits[1].cycles)
    assert told["fullest resource"] == "110.0%"
    assert told["clock"] == "93.67 MHz"


def test_what_is_missing_is_told_with_its_command(qsnn, stream):
    found = {s.key: s for s in sections(qsnn[2])}
    assert "hw.build --board arty_a7 --model digits-qsnn" in found["resources"].missing[1]
    assert found["confusion"].missing[1] == "python -m sw.page digits-qsnn --images 1000"
    assert found["timeline"].missing
    assert "no attention" in found["attention"].text
    assert {s.key: s for s in sections(stream[2])}["confusion"].missing[1] == ""


def test_a_hostile_name_is_no_command(qsnn):
    page = dataclasses.replace(qsnn[2], name="x; rm -rf ~")
    found = {s.key: s for s in sections(page)}
    assert found["confusion"].missing[1] == "python -m sw.page MODEL --images 1000"


def test_a_simulation_is_told(qsnn):
    done = Checked(cycles=(5556, 5011), writes=7, compared=("interpreter",), mismatches=("bad",))
    page = dataclasses.replace(qsnn[2], checked=done)
    assert tables(page)["simulation", "cycles of each run"] == [
        ["0", "5556", "5556"],
        ["1", "5011", "5011"],
    ]
    assert {t.name: t.value for t in tiles(page)}["simulated"] == "1 DIFFER"


def test_about(digits):
    told = dict(about(digits[2]))
    assert told["bitstream"] == "none: no router"
    assert told["yosys"] == "1.2"
