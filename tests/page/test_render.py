"""The page's HTML: whole, closed to the outside, and safe whatever names are in it."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from sw.page import gather
from sw.page.render import html

HOSTILE = (
    '"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>$\\frac{$&\u202e\0'
)
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Parsed(HTMLParser):
    """Elements of a page; faults where they are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.ids, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.ids += [v for k, v in attrs if k == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.ids += [v for k, v in attrs if k == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def text(digits):
    return html(digits[2])


def test_the_same_page_gives_the_same_bytes(digits, text):
    assert html(digits[2]) == text


@pytest.mark.parametrize("which", ["digits", "qsnn", "stream"])
def test_is_well_formed_and_loads_nothing(which, request):
    text = html(request.getfixturevalue(which)[2])
    page = Parsed(text)
    assert len(page.ids) == len(set(page.ids))
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text.replace("url(#", "")
    assert not [tag for tag, _ in page.found if tag in ("script", "iframe", "object")]
    for tag, attributes in page.found:
        for name in ("src", "href"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), (tag, value)
            if value.startswith("#") and len(value) > 1:
                assert value[1:] in page.ids
        assert not [name for name in attributes if name.startswith("on")]
    assert len(text.encode()) < 2_000_000


def test_every_chart_says_what_it_shows(text):
    page = Parsed(text)
    charts = [a for tag, a in page.found if tag == "svg"]
    assert len(charts) > 20
    assert all(a["role"] == "img" and len(a["aria-label"]) > 10 for a in charts)
    sections = [a for tag, a in page.found if tag == "section"]
    assert {a["id"] for a in sections} >= {
        "resources",
        "memory",
        "timeline",
        "bound",
        "spikes",
        "attention",
        "confusion",
        "traffic",
        "about",
    }


def test_colours_are_the_pages_own(text):
    """Shapes are drawn in variables, which a dark page sets anew; none is left in matplotlib's."""
    body = text.split("</head>")[1]
    assert not re.findall(r"(?:fill|stroke): #[0-9a-f]{6}", body)
    used = set(re.findall(r"var\(--([a-z]+)\)", text))
    for part in text.split("@media (prefers-color-scheme: dark)")[:2]:
        assert used - set(re.findall(r"--([a-z]+):", part)) == set()


def test_hostile_names(qsnn):
    _, program, _ = qsnn
    rename = lambda items: tuple(  # noqa: E731
        dataclasses.replace(item, layer=HOSTILE + item.layer) for item in items
    )
    bad = dataclasses.replace(
        program,
        name=HOSTILE,
        labels=tuple(
            dataclasses.replace(x, tensor=x.tensor and HOSTILE + x.tensor)
            for x in rename(program.labels)
        ),
        forecast=rename(program.forecast),
        regions=tuple(dataclasses.replace(r, name=HOSTILE + r.name) for r in program.regions),
        ops=tuple((HOSTILE + n, v) for n, v in program.ops),
    )
    report = {
        "board": {"title": HOSTILE, "part": HOSTILE, "clock_hz": 1},
        "tools": {HOSTILE: HOSTILE},
    }
    text = html(gather(bad, report=report))
    page = Parsed(text)
    assert not [tag for tag, _ in page.found if tag in ("script", "img")]
    assert not [a for _, a in page.found if "onerror" in a]
    assert "\0" not in text
    assert "\u202e" not in text
    assert any("<script>alert(1)</script>" in word for word in page.words)
