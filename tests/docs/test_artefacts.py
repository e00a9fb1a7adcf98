"""The figures of README and docs: each stands on the page of artefacts, and the cheap ones hold."""

import json
import re

import pytest

import boards
import sw
from tests.docs.pages import ROOT, commands

PAGE = ROOT / "docs" / "artefacts.md"
README = ROOT / "README.md"
MEASURED = ROOT / "docs" / "use" / "measured.md"
NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:[ ,]\d{3})+|(?<![\w.])\d+(?:\.\d+)?")


def numbers(text):
    """Return the figures of a text: those with a point, or of three digits and more."""
    found = {re.sub("[ ,]", "", n) for n in NUMBER.findall(text)}
    return {n for n in found if "." in n or len(n) > 2}


def rows(page, heading):
    """Return the rows of the first table below a heading, as lists of cells."""
    section = page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


TOLD = numbers(PAGE.read_text(encoding="utf-8"))


def test_the_readme_table_is_there():
    table = rows(README, "Measured")
    assert len(table) >= 3
    assert all(len(row) == 6 for row in table)
    for row in table:
        figures = numbers(" ".join(row[2:]))
        assert figures
        assert figures <= TOLD, row[0]


def test_every_measured_figure_is_there():
    text = MEASURED.read_text(encoding="utf-8")
    sizes = {"10000", "360"}  # of data sets
    assert len(numbers(text)) > 30
    assert numbers(text) - TOLD - sizes == set()


def test_every_row_has_a_command_and_a_cost():
    text = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert len(headings) >= 4
    for heading in headings:
        for row in rows(PAGE, heading):
            assert len(row) == 5, row
            assert re.search(r"`(python -m|pytest)|\]\(models/", row[1]), row
            assert row[2], row
            assert row[3], row
            assert row[4], row
            assert re.match(r"-$|\d|more than|not (timed|measured)$", row[3]), row
    assert len(commands(PAGE)) > 20


def test_a_missing_figure_would_be_noticed():
    assert numbers("99.99 % in 1 234 cycles, 5,678 LUTs and 12 of 90") == {"99.99", "1234", "5678"}
    assert "99.99" not in TOLD


@pytest.mark.parametrize("row", rows(README, "Measured"), ids=lambda row: row[0].strip("`"))
def test_accuracy_and_latency_hold(row):
    """The README's accuracy is the card's, its latency the forecast at the board's clock."""
    name, title, accuracy, latency = (cell.strip("`") for cell in row[:4])
    names = boards.NAMES
    board = next(b for b in map(boards.get, names) if b.title.endswith(title))
    side = json.loads((ROOT / "sw" / "shipped" / f"{name}.json").read_text(encoding="utf-8"))
    assert accuracy.startswith(f"{100 * side['integer_test_accuracy']:.2f} %")
    cycles = sw.load(name).lower().compile(board.config).cycles
    assert latency == f"{1e3 * cycles / board.core_clock:.3f} ms"
    assert row[5].startswith(f"{board.core_clock / 1e6:g} MHz")
