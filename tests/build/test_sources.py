"""Which source files decide what a module computes."""

from hw.build import sources


def test_steps_follow_imports_and_no_list():
    found = {p.relative_to(sources.ROOT).as_posix() for p in sources.sources("hw.soc.top")}
    assert {"hw/core/core.py", "hw/core/lane.py", "hw/arch/isa.py", "hw/__init__.py"} <= found
    inside = {p.relative_to(sources.ROOT).as_posix() for p in sources.sources("sw.golden")}
    assert "sw/golden/compiled.py" in inside, "an import inside a function counts"
    assert sources.sources("numpy", "no.such.module") == []


def test_only_our_packages_are_followed(tmp_path, monkeypatch):
    """Where we are installed, others lie beside us."""
    for name in ("hw", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("import other\n", encoding="utf-8")
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    assert sources.sources("hw") == [tmp_path / "hw" / "__init__.py"]
    assert sources.sources("other") == []
