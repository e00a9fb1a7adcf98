"""Named steps with checkpoints: resumable, and never half finished in appearance.

A step works in a folder of its own; when it has ended well its files are moved to the output
folder and its checkpoint is written last. A checkpoint holds the hash of what went in (the
step's own inputs and the contents of all files of the steps before it) and the hash of each file
that came out. A step whose checkpoint still agrees is not run again. Before a step runs, the
checkpoints and files of it and of all later steps are removed, the last step's first.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.common.errors import SpikeloomError
from hw.tools.errors import ToolFailed
from hw.tools.export import write_text

WORK, STEPS, LOGS, LOCK = ".work", ".steps", "logs", ".lock"


@dataclass(frozen=True)
class Step:
    """One step: ``run(job, folder)`` leaves files in ``folder``; ``inputs(job)`` is JSON."""

    name: str
    title: str
    inputs: Callable[[Any], Any]
    run: Callable[[Any, Path], None]


@dataclass(frozen=True)
class Event:
    """What a build tells while it runs; ``state`` is 'start', 'done', 'fresh' or 'note'."""

    step: str
    state: str
    text: str = ""
    seconds: float = 0.0


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def code_digest(*packages: Path) -> str:
    """Return the SHA-256 of all Python files below the folders (or of the files) given."""
    total = hashlib.sha256()
    for root in packages:
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            total.update(f"{path.relative_to(root.parent).as_posix()}\0".encode())
            total.update(path.read_bytes())
    return total.hexdigest()


class Pipeline:
    """Steps in order, with their checkpoints in one output folder."""

    def __init__(self, steps: Sequence[Step], output: Path, tell: Callable[[Event], None]):
        self.steps, self.output, self.tell = list(steps), output, tell

    def run(self, job: Any, *, first: str | None = None, last: str | None = None) -> None:
        """Run the steps up to ``last``; those from ``first`` on even if they are fresh."""
        names = [s.name for s in self.steps]
        for name in (first, last):
            if name is not None and name not in names:
                raise SpikeloomError(f"unknown step {name!r}; steps: {', '.join(names)}")
        force = names.index(first) if first else len(names)
        stop = names.index(last) if last else len(names) - 1
        if first and force > stop:
            raise SpikeloomError(f"step {first!r} comes after {last!r}; steps: {', '.join(names)}")
        with disk_errors(self.output), self._locked():
            before = ""
            for n, step in enumerate(self.steps[: stop + 1]):
                key = digest([step.inputs(job), before])
                outputs = None if n >= force else self._fresh(step, key)
                if outputs is None:
                    outputs = self._run(n, step, job, key)
                else:
                    self.tell(Event(step.name, "fresh", step.title))
                before = digest([before, outputs])
            shutil.rmtree(self.output / WORK, ignore_errors=True)

    def _checkpoint(self, step: Step) -> Path:
        return self.output / STEPS / f"{step.name}.json"

    def _fresh(self, step: Step, key: str) -> dict[str, str] | None:
        """Return the outputs of a step whose checkpoint agrees with inputs and files."""
        try:
            held = json.loads(self._checkpoint(step).read_text(encoding="utf-8"))
            if held["inputs"] != key:
                return None
            for name, wanted in held["outputs"].items():
                if file_digest(self.output / name) != wanted:
                    return None
            return held["outputs"]
        except (FileNotFoundError, NotADirectoryError, KeyError, TypeError, ValueError):
            return None

    def _forget(self, n: int) -> None:
        for step in reversed(self.steps[n:]):
            path = self._checkpoint(step)
            try:
                outputs = list(json.loads(path.read_text(encoding="utf-8"))["outputs"])
            except (OSError, KeyError, TypeError, ValueError):
                outputs = []
            path.unlink(missing_ok=True)
            for name in outputs:
                (self.output / name).unlink(missing_ok=True)

    def _run(self, n: int, step: Step, job: Any, key: str) -> dict[str, str]:
        self.tell(Event(step.name, "start", step.title))
        began = time.monotonic()
        self._forget(n)
        work = self.output / WORK / step.name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            step.run(job, work)
            self._keep_logs(work)
            outputs = self._publish(work)
        except ToolFailed as e:
            self._keep_logs(work)
            e.log = self.output / LOGS / e.log.name
            raise
        finally:
            shutil.rmtree(self.output / WORK, ignore_errors=True)
        text = json.dumps({"inputs": key, "outputs": outputs}, indent=1, sort_keys=True)
        write_text(self._checkpoint(step), text + "\n")
        self.tell(Event(step.name, "done", step.title, time.monotonic() - began))
        return outputs

    def _keep_logs(self, work: Path) -> None:
        for log in work.glob("*.log"):
            (self.output / LOGS).mkdir(parents=True, exist_ok=True)
            os.replace(log, self.output / LOGS / log.name)

    def _publish(self, work: Path) -> dict[str, str]:
        files = sorted(p for p in work.rglob("*") if p.is_file())
        outputs = {p.relative_to(work).as_posix(): file_digest(p) for p in files}
        try:
            for path in files:
                target = self.output / path.relative_to(work)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
        except BaseException:
            for name in outputs:
                (self.output / name).unlink(missing_ok=True)
            raise
        return outputs

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.output.mkdir(parents=True, exist_ok=True)
        with (self.output / LOCK).open("w", encoding="utf-8") as lock:
            try:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:
                pass  # no such locks on this system
            except BlockingIOError:
                raise SpikeloomError(
                    f"{self.output}: another build is running here; wait for it, or choose "
                    "another folder with --output"
                ) from None
            yield


@contextlib.contextmanager
def disk_errors(output: Path) -> Iterator[None]:
    """Tell a full, read-only or missing place on the disk in one sentence."""
    try:
        yield
    except OSError as e:
        if e.errno is None or e.strerror is None:
            raise
        raise SpikeloomError(
            f"cannot write to {e.filename or output}: {e.strerror}; free space there or choose "
            "another folder with --output"
        ) from e
