"""Where tools are found, which version they have, and their environment."""

import os

import pytest

from hw.tools import find
from hw.tools.errors import ToolchainNotFound


def _tool(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_webassembly_tools_get_a_cache_of_their_own(monkeypatch, tmp_path):
    """In their environment, not in ours; where the user names one it is that."""
    monkeypatch.delenv("YOWASP_CACHE_DIR", raising=False)
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    tool = _tool(tmp_path / "yowasp-ecppack", 'echo "$YOWASP_CACHE_DIR"')
    monkeypatch.setenv("ECPPACK", str(tool))
    find.run_tool("ecppack", [], cwd=tmp_path, log="log")
    assert (tmp_path / "log").read_text(encoding="utf-8").strip() == str(tmp_path / "cache/yowasp")
    assert "YOWASP_CACHE_DIR" not in os.environ
    monkeypatch.setenv("YOWASP_CACHE_DIR", "/mine")
    assert find.environment("yowasp-ecppack")["YOWASP_CACHE_DIR"] == "/mine"
    monkeypatch.delenv("YOWASP_CACHE_DIR")
    assert "YOWASP_CACHE_DIR" not in find.environment("nextpnr-ecp5")


def test_version_is_that_of_the_tool_in_use(monkeypatch, tmp_path):
    package = find.version("nextpnr-ecp5")
    tool = _tool(tmp_path / "nextpnr-ecp5", "echo nextpnr-ecp5 9.9")
    monkeypatch.setenv("NEXTPNR_ECP5", str(tool))
    assert find.version("nextpnr-ecp5") == "nextpnr-ecp5 9.9" != package


def test_tool_named_wrongly(monkeypatch):
    monkeypatch.setenv("NEXTPNR_ECP5", "/no/such/tool")
    with pytest.raises(ToolchainNotFound, match="correct or unset NEXTPNR_ECP5"):
        find.find("nextpnr-ecp5")


def test_missing_nextpnr(monkeypatch, tmp_path):
    monkeypatch.setattr(find, "_beside_python", lambda command: None)
    monkeypatch.setattr(find.shutil, "which", lambda *a, **k: None)
    with pytest.raises(ToolchainNotFound, match=r"nextpnr-ecp5 was not found; .*pip install -e \."):
        find.find("nextpnr-ecp5")
