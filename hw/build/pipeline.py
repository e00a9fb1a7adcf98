"""Named steps with checkpoints: resumable, and never half finished in appearance.

A step works in a folder of its own; when it has ended well its files are moved to the output
folder and its checkpoint is written last. A checkpoint holds the hash of what went in (the
step's own inputs and the contents of all files of the steps before it) and the hash of each file
that came out. A step whose checkpoint still agrees is not run again. Before a step runs, the
checkpoints and files of it and of all later steps are removed, the last step's first; where the
build was finished, all of its files are kept in the folder ``previous`` first. Before files come
their step's checkpoint says that it is pending, and it goes after them, so that a kill leaves
nothing behind that a later run does not know.

A folder belongs to one target, which is noted in it; a build of another target is refused. Names
that the build has made are noted too: a file of somebody else's is never replaced or deleted.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.common.errors import SpikeloomError
from hw.common.files import digest, disk_errors, file_digest, locked, read_json, write_json
from hw.tools.errors import ToolFailed

STEPS, LOGS, PREVIOUS = ".steps", "logs", "previous"
WORK, LOCK = f"{STEPS}/work", f"{STEPS}/.lock"
TARGET = "target"  #: Name of the note of whose build the folder is, beside the checkpoints.
MADE = "made"  #: Name of the note of which files and folders the build has made.
CURE = "free space there, or choose another folder with --output"


@dataclass(frozen=True)
class Step:
    """One step: ``run(job, folder)`` leaves files in ``folder``; ``inputs(job)`` is JSON.

    ``run`` returns a sentence where there was nothing that it could do, else None. ``makes`` are
    files that it is known to leave: where they are somebody else's, nothing is begun.
    """

    name: str
    title: str
    inputs: Callable[[Any], Any]
    run: Callable[[Any, Path], str | None]
    makes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """What a build tells while it runs.

    ``state`` is 'start', 'done', 'fresh' (up to date), 'skipped' (``text`` says why) or 'note'.
    """

    step: str
    state: str
    text: str = ""
    seconds: float = 0.0


class Pipeline:
    """Steps in order, with their checkpoints in one output folder."""

    def __init__(
        self,
        steps: Sequence[Step],
        output: Path,
        tell: Callable[[Event], None],
        target: dict[str, str] | None = None,
    ):
        self.steps, self.output, self.tell, self.target = list(steps), output, tell, target

    def run(self, job: Any, *, first: str | None = None, last: str | None = None) -> bool:
        """Run the steps up to ``last``; those from ``first`` on even if they are fresh.

        Returns whether any step ran.
        """
        names = [s.name for s in self.steps]
        for name in (first, last):
            if name is not None and name not in names:
                raise SpikeloomError(f"unknown step {name!r}; steps: {', '.join(names)}")
        force = names.index(first) if first else len(names)
        stop = names.index(last) if last else len(names) - 1
        if first and force > stop:
            raise SpikeloomError(f"step {first!r} comes after {last!r}; steps: {', '.join(names)}")
        busy = (
            f"{self.output}: another build is running here; wait for it, or choose another folder "
            "with --output"
        )
        ran = False
        if not self.output.is_dir():
            self._refuse_undone(names[:force] if first else [], first)
        with disk_errors(self.output, CURE), locked(self.output / LOCK, busy, CURE):
            mine = self._is_ours()
            self._refuse_undone(names[:force] if first else [], first)
            known = [name for step in self.steps[: stop + 1] for name in step.makes]
            self._refuse_foreign([*known, LOGS, PREVIOUS])
            before = ""
            for n, step in enumerate(self.steps[: stop + 1]):
                key = _key([step.inputs(job), before])
                held = None if n >= force else self._fresh(step, key)
                if held is None:
                    held, ran = self._run(n, step, job, key), True
                elif "skipped" in held:
                    self.tell(Event(step.name, "skipped", held["skipped"]))
                else:
                    self.tell(Event(step.name, "fresh", step.title))
                before = _key([before, held["outputs"]])
                if self.target is not None and not mine:
                    write_json(self._note, self.target, CURE)
                    mine = True
            shutil.rmtree(self.output / WORK, ignore_errors=True)
        return ran

    def _refuse_undone(self, names: Sequence[str], first: str | None) -> None:
        """Refuse to begin at a step where those before it have not been done."""
        for name in names:
            if not self._done(name):
                raise SpikeloomError(
                    f"{self.output}: step {name!r}, which comes before {first!r}, has not been "
                    f"done here; leave out --from, or give --from {name}"
                )

    def _refuse_foreign(self, names: Sequence[str]) -> None:
        """Refuse to replace what the build has not made."""
        made = self._made()
        for name in names:
            if name not in made and os.path.lexists(self.output / name):
                raise SpikeloomError(
                    f"{self.output / name}: no build has made this, and one here would replace "
                    "it; move it away, or choose another folder with --output"
                )

    def _made(self) -> set[str]:
        """Names that the build has made: those noted, and those of checkpoints."""
        try:
            noted = set(read_json(self.output / STEPS / f"{MADE}.json"))
        except (SpikeloomError, TypeError):
            noted = {LOGS, PREVIOUS} if self._note.is_file() else set()
        return noted | {name for step in self.steps for name in self._outputs(step)}

    def _add_made(self, *names: str) -> None:
        made = self._made()
        if not made.issuperset(names):
            write_json(self.output / STEPS / f"{MADE}.json", sorted(made | {*names}), CURE)

    @property
    def _note(self) -> Path:
        return self.output / STEPS / f"{TARGET}.json"

    def _is_ours(self) -> bool:
        """Whether the folder is noted as our target's; another's is refused."""
        held = None
        with contextlib.suppress(SpikeloomError):
            held = read_json(self._note)
        if self.target is not None and isinstance(held, dict) and held != self.target:
            whose = ", ".join(f"{k} {v}" for k, v in held.items())
            mine = ", ".join(f"{k} {v}" for k, v in self.target.items())
            raise SpikeloomError(
                f"{self.output}: holds the build of {whose}, not of {mine}; choose another folder "
                "with --output, or remove that one"
            )
        return held == self.target

    def _checkpoint(self, step: Step) -> Path:
        return self.output / STEPS / f"{step.name}.json"

    def _done(self, name: str) -> bool:
        """Whether a step has a checkpoint that is whole and not pending."""
        try:
            return "inputs" in read_json(self.output / STEPS / f"{name}.json")
        except (SpikeloomError, TypeError):
            return False

    def _pend(self, step: Step, outputs: Sequence[str]) -> None:
        """Say that files of a step are coming, none of which is to be relied on."""
        held = {"pending": True, "outputs": dict.fromkeys(outputs, "")}
        write_json(self._checkpoint(step), held, CURE)

    def _fresh(self, step: Step, key: str) -> dict[str, Any] | None:
        """Return the checkpoint of a step if it agrees with inputs and files."""
        try:
            held = json.loads(self._checkpoint(step).read_text(encoding="utf-8"))
            if held["inputs"] != key:
                return None
            for name, wanted in held["outputs"].items():
                if file_digest(self.output / name) != wanted:
                    return None
            return held
        except (FileNotFoundError, NotADirectoryError, KeyError, TypeError, ValueError):
            return None

    def _outputs(self, step: Step) -> list[str]:
        """Names of the files that a step left or was leaving, as its checkpoint tells."""
        try:
            return list(json.loads(self._checkpoint(step).read_text(encoding="utf-8"))["outputs"])
        except (OSError, KeyError, TypeError, ValueError):
            return []

    def _keep(self) -> None:
        """Keep a finished build in ``previous``: links, or copies where there are none."""
        if not all(self._done(step.name) for step in self.steps):
            return
        made = self.output / WORK / PREVIOUS
        shutil.rmtree(made, ignore_errors=True)
        for name in (name for step in self.steps for name in self._outputs(step)):
            source, target = self.output / name, made / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(source, target)
                except OSError:
                    shutil.copy2(source, target)
        if made.is_dir():
            self._add_made(PREVIOUS)
            shutil.rmtree(self.output / PREVIOUS, ignore_errors=True)
            os.replace(made, self.output / PREVIOUS)
            text = f"the finished build that was here is kept in {self.output / PREVIOUS}"
            self.tell(Event(self.steps[-1].name, "note", text))

    def _forget(self, n: int) -> None:
        for step in reversed(self.steps[n:]):
            if not self._checkpoint(step).is_file():
                continue
            outputs = self._outputs(step)
            for name in outputs:
                (self.output / name).unlink(missing_ok=True)
            left = self._made() - {*outputs}
            write_json(self.output / STEPS / f"{MADE}.json", sorted(left), CURE)
            self._checkpoint(step).unlink(missing_ok=True)

    def _run(self, n: int, step: Step, job: Any, key: str) -> dict[str, Any]:
        self.tell(Event(step.name, "start", step.title))
        began = time.monotonic()
        self._keep()
        self._forget(n)
        work = self.output / WORK / step.name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            skipped = step.run(job, work)
            self._keep_logs(work)
            outputs = self._publish(step, work)
        except ToolFailed as e:
            self._keep_logs(work)
            e.log = self.output / LOGS / e.log.name
            raise
        finally:
            shutil.rmtree(self.output / WORK, ignore_errors=True)
        held = {"inputs": key, "outputs": outputs}
        if skipped:
            held["skipped"] = skipped
        write_json(self._checkpoint(step), dict(sorted(held.items())), CURE)
        seconds = time.monotonic() - began
        if skipped:
            self.tell(Event(step.name, "skipped", skipped, seconds))
        else:
            self.tell(Event(step.name, "done", step.title, seconds))
        return held

    def _keep_logs(self, work: Path) -> None:
        for log in work.glob("*.log"):
            self._add_made(LOGS)
            (self.output / LOGS).mkdir(parents=True, exist_ok=True)
            os.replace(log, self.output / LOGS / log.name)

    def _publish(self, step: Step, work: Path) -> dict[str, str]:
        files = sorted(p for p in work.rglob("*") if p.is_file())
        outputs = {p.relative_to(work).as_posix(): file_digest(p) for p in files}
        self._refuse_foreign(list(outputs))
        self._add_made(*outputs)
        self._pend(step, list(outputs))
        try:
            for path in files:
                target = self.output / path.relative_to(work)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
        except BaseException:
            for name in outputs:
                (self.output / name).unlink(missing_ok=True)
            self._checkpoint(step).unlink(missing_ok=True)
            raise
        return outputs


def _key(value: Any) -> str:
    """Return the digest of a JSON value."""
    return digest(json.dumps(value, sort_keys=True))
