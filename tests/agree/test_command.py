"""``python -m sw.agree``: the network's own data set, and how it ends."""

import dataclasses
import json

import pytest

import sw
from sw.agree import Reference, command, main
from sw.frontend.loader import SHIPPED, shipped
from tests.fixtures import FIXTURES

pytest.importorskip("torch")


@pytest.mark.parametrize("name", shipped())
def test_own_data_set(name):
    fields = json.loads((SHIPPED / f"{name}.json").read_text(encoding="utf-8"))
    assert command._own(sw.load(name)) == fields["data"]


@pytest.mark.parametrize("meta", [{}, {"data": "a set of my own"}])
def test_digits_where_it_names_no_known_one(meta):
    assert command._own(dataclasses.replace(sw.load("digits"), meta=meta)) == "digits"


def test_own_data_set_that_is_not_there(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    assert main(["mnist-tiny"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: mnist: ")
    assert said.err.endswith("; run python -m sw.data fetch mnist\n")


def test_exit_status(capsys, monkeypatch):
    stem = ["--fixture", str(FIXTURES / "best_digits")]
    compare = Reference.compare
    assert main([*stem, "--pixel-weight-bits", "8"]) == 1
    assert "the lowering is at fault" in capsys.readouterr().out
    monkeypatch.setattr(
        Reference,
        "compare",
        lambda self, network: dataclasses.replace(compare(self, network), agreement=0.5),
    )
    assert main(stem) == 3
    assert "the float network itself is at 95." in capsys.readouterr().out


def test_option_errors_name_the_form(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["digits", "--frac-bits", "x"])
    assert stop.value.code == 2
    assert "'x' is not a number of bits, wanted a whole number from 0" in capsys.readouterr().err
