"""From a figure to SVG inside a page."""

from xml.etree import ElementTree

import matplotlib
import pytest

from sw.page.charts.drawing import COLOURS, Drawing, both, clean, fitted, number, percent, readable


def bar(width):
    d = Drawing(width, 40)
    ax = d.axes(10, 5, width - 20, 30)
    d.title(ax.barh(0, 3, color=COLOURS["spikes"])[0], "<one> & only")
    ax.text(1, 0, "$\\frac{$ <b>")
    return d


def test_svg():
    chart = both("x", 'three "bars"', bar)
    root = ElementTree.fromstring(chart.wide)
    assert root.tag == "svg"
    assert root.get("aria-label") == 'three "bars"'
    assert [e.text for e in root.iter("title")] == ["<one> & only"]
    assert "var(--spikes)" in chart.wide
    assert COLOURS["spikes"] not in chart.wide
    assert "http" not in chart.wide
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert all(name.startswith("x-900-") for name in ids)
    assert [e.text for e in root.iter("text") if e.text and "frac" in e.text] == ["$\\frac{$ <b>"]
    assert chart.narrow != chart.wide


def test_a_users_own_settings_change_nothing():
    before = both("x", "alt", bar)
    with matplotlib.rc_context({"svg.fonttype": "path", "font.size": 30}):
        assert both("x", "alt", bar) == before


def test_colours_differ():
    assert len(set(COLOURS.values())) == len(COLOURS)


@pytest.mark.parametrize(
    ("text", "wanted"), [("a\nb", "a b"), ("\u202ea\0", "a"), ("x" * 400, "x" * 299 + "…")]
)
def test_readable(text, wanted):
    assert readable(text) == wanted


def test_words():
    assert fitted("block.0.attn.q_conv", 62) == "…tn.q_conv"
    assert fitted("abcdefgh", 20) == ""
    assert number(1234567).split("\u202f") == ["1", "234", "567"]
    assert percent(0.5) == "50.0\u202f%"
    assert clean("a\u0007é") == "a é"
