"""Charts of bars."""

import re

from sw.page.charts import bars


def test_resources_tell_each_share(report):
    chart = bars.resources(report["resources"]["items"], {"lut": "LUT <b>"})
    assert "LUT &lt;b&gt;" in chart.wide
    assert "dsp 110.0" in chart.alt
    assert "var(--over)" in chart.wide
    assert "cells" not in chart.alt


def test_bound_tells_each_layer(digits):
    spans = digits[2].timeline.spans
    chart = bars.bound(spans)
    for s in spans:
        assert f"{s.layer} {s.cycles} of which {s.bound}" in chart.alt
    assert len(re.findall("<title>", chart.wide)) == len(spans) + sum(s.bound > 0 for s in spans)


def test_totals(digits):
    found = bars.totals(digits[2].accesses)
    assert list(found) == ["row", "col", "res", "pix"]
    assert found["col"][1] == sum(a.gated for a in digits[2].accesses)
    assert f"{found['row'][0]} read" in bars.traffic(digits[2].accesses).alt


def test_link_and_logits(digits):
    alt = bars.link(digits[2]).alt
    assert "1.000 ms on the link" in alt
    assert "0.192 ms in the core" in alt
    assert "class 7" in bars.logits(digits[2].sample).alt
