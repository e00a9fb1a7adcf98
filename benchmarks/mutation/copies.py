"""Copies with faults, what is played on them with one fault switched on, and how each ended."""

import concurrent.futures
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.mutation.circuit import gates
from benchmarks.mutation.faults import Fault
from benchmarks.mutation.proofs import SECONDS, Prover
from benchmarks.mutation.reasons import REASONS, Premise
from hw.common.files import digest, write_json
from sim.testbench import plusargs

LIMIT = 60  #: Seconds of a fault's simulation; without a fault it takes less than two.


@dataclass(frozen=True)
class Copy:
    """A design with its faults, compiled; jobs by name."""

    name: str
    program: Path
    faults: list[Fault]
    few: dict[str, Path]  #: Small jobs, played first.
    more: Callable[[], dict[str, Path]]  #: Makes those that are played on what survives.
    design: str  #: The Verilog, with faults.
    shown: Callable[[Path], bytes]  #: What a bench sees of a job that was played in a folder.
    premises: tuple[Premise, ...] = ()  #: Checked on what is played.


def seen(program: Path, job: Path, folder: Path, fault: int, shown: Callable[[Path], bytes]) -> str:
    """Play a job on a copy with a fault; return a digest of what it shows, or how it failed."""
    arguments = [f"+stim={job / 'commands'}", *plusargs(folder, log=True)[1:], f"+mut={fault}"]
    try:
        done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "no end"
    return f"ended with {done.returncode}" if done.returncode else digest(shown(folder))


@dataclass(frozen=True)
class End:
    """How a fault ended."""

    how: str  #: KILLED, SHOWN, GIVEN, REASON or ALIVE.
    by: str = ""  #: The job, the kind of proof, the reason.


KILLED, SHOWN, GIVEN, REASON, ALIVE = "killed", "shown", "given", "reason", "alive"


class Bench:
    """Finds out how each fault of a copy ends, and keeps it in the folder."""

    def __init__(self, copy: Copy, folder: Path, workers: int):
        self.copy, self.folder, self.workers = copy, folder, workers
        self.path = folder / f"{copy.name}.json"
        known = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        mark = digest(copy.design)
        if known.get("design") != mark:
            known = {"design": mark, KILLED: {}, "played": {}, SHOWN: {}, GIVEN: {}, "tried": {}}
        self.state: dict[str, Any] = known

    def ends(self) -> dict[int, End]:
        """Return how each fault ended, by number: small jobs, proofs, all jobs, harder proofs.

        Reachability takes minutes a fault, and is not tried where there are premises or a reason.
        """
        self._play(self.copy.few)
        self._prove(SHOWN, "structure", {}, 0)
        if self._left():
            self._play(self.copy.more())
            self._prove(GIVEN, "premises", {p.register: 0 for p in self.copy.premises}, 0)
            self._prove(SHOWN, "reachability", {}, SECONDS)
        return {fault.number: self._end(fault) for fault in self.copy.faults}

    def _end(self, fault: Fault) -> End:
        for how in (KILLED, SHOWN, GIVEN):
            if by := self.state[how].get(str(fault.number)):
                return End(how, by)
        reason = REASONS.get(fault.key)
        return End(REASON, reason.text) if reason and reason.holds() else End(ALIVE)

    def _left(self) -> list[Fault]:
        settled = {n for how in (KILLED, SHOWN, GIVEN) for n in self.state[how]}
        return [f for f in self.copy.faults if str(f.number) not in settled]

    def _keep(self) -> None:
        write_json(self.path, self.state)

    def _play(self, jobs: Mapping[str, Path]) -> None:
        """Play jobs on the faults that are left; what is known is not played again."""
        expected = {
            name: seen(self.copy.program, job, job, 0, self.copy.shown)
            for name, job in jobs.items()
        }
        left = self._left()
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            running = {pool.submit(self._killer, f.number, jobs, expected): f for f in left}
            done = concurrent.futures.as_completed(running)
            what = f"{self.copy.name}: {len(jobs)} jobs"
            for one in tqdm(done, desc=what, total=len(left), disable=None):
                n, job = str(running[one].number), one.result()
                if job:
                    self.state[KILLED][n] = job
                else:
                    self.state["played"].setdefault(n, {}).update(expected)
                self._keep()

    def _killer(self, fault: int, jobs: Mapping[str, Path], expected: Mapping[str, str]) -> str:
        """Return the job that notices a fault, or nothing."""
        played = self.state["played"].get(str(fault), {})
        own = self.folder / "runs" / f"{self.copy.name}_{fault}"
        own.mkdir(parents=True, exist_ok=True)
        try:
            for name, job in jobs.items():
                if played.get(name) == expected[name]:
                    continue
                if seen(self.copy.program, job, own, fault, self.copy.shown) != expected[name]:
                    return name
            return ""
        finally:
            shutil.rmtree(own)

    def _prove(self, how: str, kind: str, given: Mapping[str, int], seconds: int) -> None:
        """Try to show of the faults that are left that they change nothing."""
        tried = self.state["tried"].setdefault(f"{kind} {sorted(given)}", [])
        left = [f for f in self._left() if f.number not in tried]
        if seconds:
            left = [f for f in left if f.key not in REASONS]
        if (how == GIVEN and not given) or not left:
            return
        prover = Prover(gates(self.folder, self.copy.name), self.folder / "proofs", given, seconds)
        for fault in tqdm(left, desc=f"{self.copy.name}: {kind}", disable=None):
            tried.append(fault.number)
            if by := prover.shown(fault.number):
                self.state[how][str(fault.number)] = by
            self._keep()
