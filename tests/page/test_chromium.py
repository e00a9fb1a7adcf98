"""The page in a headless Chromium: wide and narrow, by day and by night."""

import pytest

from benchmarks.browser import browser, find
from sw.page import write


@pytest.fixture(scope="module")
def chromium():
    if not find():  # under CI too: it is no package of pip's
        pytest.skip("chromium is missing")
    with browser() as running:
        yield running


@pytest.fixture(scope="module", params=["digits", "stream"])
def page(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / f"{request.param}.html"
    return write(request.getfixturevalue(request.param)[2], path)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_shows_without_complaint(chromium, page, width, dark):
    seen = chromium.show(page, width, dark=dark)
    assert seen.complaints == []
    assert seen.overflow == []
    assert seen.scroll == width
    assert seen.height > 2000
    assert {url.split(":")[0] for url in seen.requests} <= {"file", "data"}
    assert len(seen.picture) > 50_000


def test_a_fault_would_be_seen(chromium, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        "<script>console.error('x'); nothing()</script><p style='width:900px'>y", encoding="utf-8"
    )
    seen = chromium.show(path, 400)
    assert len(seen.complaints) >= 2
    assert seen.overflow
