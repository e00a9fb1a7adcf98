"""The training benchmark without spikingjelly, which no test installs."""

import sys

from benchmarks import training


def test_missing_package_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "spikingjelly", None)
    assert training.main(["--rounds", "1"]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert message.rstrip().endswith("pip install -e '.[bench]'")
