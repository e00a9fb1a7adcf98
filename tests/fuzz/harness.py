"""Cases in a process of their own, with limits: neither a network nor one error is a finding."""

import multiprocessing
import resource
import shutil
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.fuzz import seeds
from tests.fuzz.mutate import mutate

CPU = 20.0  #: Seconds that a file may take.
GROWTH = 1_500_000  #: KiB by which it may make the process grow.
MEMORY = 8 << 30  #: Bytes of address space of a process.
LINES, LETTERS = 20, 4000  #: Of an error.
PATIENCE = 60.0  #: Seconds of silence after which a process is ended.


@dataclass
class Report:
    """Counts by (kind, verdict), and the findings."""

    counts: Counter = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    worst: float = 0.0  #: CPU seconds.
    growth: int = 0  #: KiB.


def read(kind: str, path: Path) -> str:
    """Read a file as a user would, and go on with what it holds; 'read' or 'refused'."""
    import sw
    from hw.arch import Config
    from hw.common.errors import SpikeloomError
    from sw.api import IntegerNetwork
    from sw.compiler import Program, compile_network, fit_config
    from sw.host.image import read_image
    from sw.testing import random_images

    try:
        if kind in ("npy", "pgm", "pgm-text", "png"):
            assert read_image(str(path), (1, 8, 8)).shape == (1, 8, 8)
        elif kind == "program":
            Program.load(path).instructions()
        elif kind == "network":
            network = IntegerNetwork.load(path)
            if network.channels * network.height * network.width * network.steps < 1 << 14:
                compile_network(network, fit_config(network, Config()))
                network.run(random_images(network, 1))
        else:
            source = path.with_name("net.npz") if kind == "side" else path
            options = {"dt": 0.5, "steps": 2, "mean": 0.5, "std": 0.5} if kind == "nir" else {}
            sw.load(source, **options).lower(size=(12, 12) if kind != "nir" else None)
    except SpikeloomError as error:
        text = str(error)
        if len(text.splitlines()) > LINES or len(text) > LETTERS:
            raise AssertionError(f"a message of {len(text)} letters") from None
        return "refused"
    return "read"


def _work(pipe, seed: int, first: int, last: int, kinds: list[str], home: str) -> None:
    """Try cases; tell each before and after."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    folder = Path(home)
    files = seeds.make(folder)
    for path in folder.iterdir():
        path.unlink()
    for case in range(first, last):
        rng = np.random.default_rng([seed, case])
        kind = kinds[case % len(kinds)]
        name, data = files[kind]
        damaged = mutate(rng, kind, data)
        side = kind in ("npz", "torch", "legacy", "safetensors", "side")
        if side:
            (folder / "net.json").write_bytes(files["side"][1])
        if kind == "side":
            (folder / "net.npz").write_bytes(files["npz"][1])
        (folder / name).write_bytes(damaged)
        pipe.send(("begin", case, kind, name))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, what = time.process_time(), ""
        try:
            verdict = read(kind, folder / name)
        except MemoryError:
            verdict, what = "finding", "MemoryError"
        except Exception:
            verdict, what = "finding", traceback.format_exc(limit=-4)
        took = time.process_time() - began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        left = [p.name for p in folder.iterdir() if p.name not in (name, "net.json", "net.npz")]
        if took > CPU or grown > GROWTH or left:
            what += f"{took:.1f} s, {grown} KiB, left {left}"
            verdict = "finding"
        pipe.send(("end", case, verdict, what, took, grown))
        for path in folder.iterdir():
            path.unlink()
    pipe.send(("done",))


def run(
    seed: int,
    cases: int,
    kinds: list[str] | None = None,
    keep: Path | None = None,
    progress: Callable[[int], object] = lambda n: None,
) -> Report:
    """Try ``cases`` damaged files; files of findings are kept in ``keep``."""
    context = multiprocessing.get_context("spawn")
    report, first = Report(), 0
    with tempfile.TemporaryDirectory(prefix="spikeloom-fuzz-") as name:
        made = Path(name) / "made"
        made.mkdir()
        found = list(seeds.make(made))
        shutil.rmtree(made)
        chosen = [k for k in (kinds or found) if k in found]
        while first < cases:
            home = Path(name) / f"from{first}"
            home.mkdir()
            ours, theirs = context.Pipe()
            told = (theirs, seed, first, cases, chosen, str(home))
            worker = context.Process(target=_work, daemon=True, args=told)
            worker.start()
            theirs.close()
            first = _follow(report, ours, worker, home, seed, first, keep, progress)
            worker.kill()
            worker.join()
    return report


def _follow(report, pipe, worker, home, seed, first, keep, progress) -> int:
    """Read what a worker tells until it ends; the first case that is left."""
    case, kind, name = first, "", ""
    while True:
        try:
            told = pipe.recv() if pipe.poll(PATIENCE) else None
        except EOFError:
            told = None
        if told is None:
            verdict, what = "finding", f"the process {'hangs' if worker.is_alive() else 'ended'}"
        elif told[0] == "begin":
            _, case, kind, name = told
            continue
        elif told[0] == "done":
            return case + 1
        else:
            _, case, verdict, what, took, grown = told
            report.worst, report.growth = max(report.worst, took), max(report.growth, grown)
        report.counts[kind, verdict] += 1
        progress(1)
        if verdict == "finding":
            report.findings.append(f"seed {seed}, case {case}, {kind}: {what}")
            if keep is not None and (home / name).is_file():
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(home / name, keep / f"seed{seed}-case{case}-{name}")
        if told is None:
            return case + 1
