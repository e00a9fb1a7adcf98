"""The worked examples of the architecture's pages: every number in them is computed here."""

import itertools
import re

import pytest

from tests.docs.blocks import Block, blocks, play
from tests.docs.pages import ROOT

FOLDER = ROOT / "docs" / "architecture"
PAGES = [p for p in sorted(FOLDER.glob("*.md")) if blocks(p, "python")]
#: Pages that tell of a part of the core, section by section.
EXACT = [p for p in PAGES if p.name != "spike.md"]


def test_pages_have_examples():
    listed = re.findall(r"\[\w+\]\((\w+\.md)\)", (FOLDER / "core.md").read_text(encoding="utf-8"))
    assert {p.name for p in PAGES} == set(listed) - {"glossary.md"}


def test_pages_follow_each_other():
    """From the first page on, each leads to the next in the order of core.md."""
    listed = re.findall(r"\[\w+\]\((\w+\.md)\)", (FOLDER / "core.md").read_text(encoding="utf-8"))
    order = [name for name in listed if name != "glossary.md"]
    for name, after in itertools.pairwise(order):
        text = (FOLDER / name).read_text(encoding="utf-8")
        assert re.search(rf"^Next: \[.*\]\({after}\)\.$", text, re.MULTILINE), name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_numbers_are_right(page):
    names = {}
    told = [play(block, names) for block in blocks(page, "python")]
    assert "".join(told) == ""


@pytest.mark.parametrize("page", EXACT, ids=lambda p: p.stem)
def test_sections_have_all_their_parts(page):
    text = page.read_text(encoding="utf-8")
    sections = text.split("\n## ")[1:]
    assert sections
    for section in sections:
        parts = [part for part in ("Purpose", "Formula", "Worked example") if part in section]
        bold = re.findall(r"^\*\*(Purpose|Formula|Worked example)\.\*\*", section, re.MULTILINE)
        assert bold == ["Purpose", "Formula", "Worked example"], (section.splitlines()[0], parts)
        example = section.split("**Worked example.**")[1]
        assert ">>> " in example, section.splitlines()[0]


def test_a_wrong_number_is_noticed():
    """Change one number that a page shows: the block must fail."""
    block = blocks(FOLDER / "numbers.md", "python")[1]
    wrong = block.text.replace("(2, 2)", "(2, 3)")
    assert wrong != block.text
    names = {}
    play(blocks(FOLDER / "numbers.md", "python")[0], names)
    assert play(block, dict(names)) == ""
    assert "(2, 3)" in play(Block(block.page, block.line, block.language, wrong), dict(names))


def test_glossary_is_in_order_and_whole():
    text = (FOLDER / "glossary.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    words = [row[0] for row in rows[1:]]
    assert words == sorted(words, key=str.lower)
    assert all(len(row) == 3 and row[1] and row[2].startswith("`") for row in rows[1:])
    for word in ("tile", "column tile", "group", "slot", "plane", "code", "cell", "piece", "tau"):
        assert word in words
