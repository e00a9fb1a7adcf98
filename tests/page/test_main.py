"""``python -m sw.page``."""

import pytest

from sw.page.__main__ import main


def run(capsys, *words):
    status = main(list(map(str, words)))
    out, err = capsys.readouterr()
    return status, out, err


def test_of_a_network(capsys, tmp_path):
    path = tmp_path / "a" / "page.html"
    status, out, err = run(capsys, "digits-qsnn", "--images", 5, "--output", path)
    assert (status, out, err) == (0, f"page of digits-qsnn: {path}\n", "")
    assert "of the first 5 test images of digits" in path.read_text(encoding="utf-8")


def test_of_a_program(capsys, tmp_path, qsnn):
    qsnn[1].save(tmp_path / "p.npz")
    status, _, err = run(capsys, tmp_path / "p.npz", "--output", tmp_path / "x.html")
    assert (status, err) == (0, "")
    assert "who reads them last" in (tmp_path / "x.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{0}"], "there is no report.json"),
        (["{0}", "--board", "ulx3s"], "leave out --board"),
        (["{0}/p.npz", "--fit"], "has its core with it"),
        (["digits", "--network", "digits"], "--network is for a compiled program"),
        (["digits", "--output", ""], "names no file"),
        (["/nowhere/x.safetensors"], "/nowhere/x.safetensors"),
    ],
)
def test_mistakes(capsys, tmp_path, qsnn, words, said):
    qsnn[1].save(tmp_path / "p.npz")
    status, out, err = run(capsys, *(w.format(tmp_path) for w in words))
    assert (status, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1
