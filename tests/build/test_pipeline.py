import dataclasses
import errno
import json
import os

import pytest

from hw.build.pipeline import PREVIOUS, Pipeline, Step
from hw.common.errors import SpikeloomError
from hw.tools.errors import ToolFailed


class Job:
    """Counts the runs of each step; ``fault`` is raised by the step that ``broken`` names."""

    def __init__(self):
        self.ran, self.version, self.broken, self.fault = [], "1", None, None

    def step(self, name, after=None):
        def run(job, work):
            job.ran.append(name)
            (work / f"{name}.log").write_text("said\n", encoding="utf-8")
            text = f"{name} {job.version if name == 'one' else ''}\n"
            (work / f"{name}.txt").write_text(text, encoding="utf-8")
            if job.broken == name:
                raise job.fault

        return Step(name, f"do {name}", lambda job: job.version if name == "one" else 0, run)


@pytest.fixture
def job():
    return Job()


@pytest.fixture
def pipeline(job, tmp_path):
    events = []
    p = Pipeline([job.step(n) for n in ("one", "two", "three")], tmp_path / "out", events.append)
    p.events = events
    return p


def present(pipeline):
    return sorted(
        p.relative_to(pipeline.output).as_posix()
        for p in pipeline.output.rglob("*")
        if p.is_file()
        and p.name not in (".lock", "made.json")
        and p.suffix != ".log"
        and PREVIOUS not in p.relative_to(pipeline.output).parts
    )


def test_second_run_does_nothing(job, pipeline):
    pipeline.run(job)
    pipeline.run(job)
    assert job.ran == ["one", "two", "three"]
    assert [e.state for e in pipeline.events] == ["start", "done"] * 3 + ["fresh"] * 3


def test_changed_input_runs_all_that_follow(job, pipeline):
    pipeline.run(job)
    job.version = "2"
    pipeline.run(job)
    assert job.ran == ["one", "two", "three"] * 2


def test_tampered_output_runs_again(job, pipeline):
    pipeline.run(job)
    (pipeline.output / "two.txt").write_text("other", encoding="utf-8")
    pipeline.run(job)
    assert job.ran == ["one", "two", "three", "two", "three"]
    assert (pipeline.output / "two.txt").read_text(encoding="utf-8") == "two \n"


def test_damaged_checkpoint_runs_again(job, pipeline):
    pipeline.run(job)
    (pipeline.output / ".steps" / "three.json").write_text("{", encoding="utf-8")
    pipeline.run(job)
    assert job.ran[3:] == ["three"]


def test_from_and_to(job, pipeline):
    pipeline.run(job, last="two")
    assert job.ran == ["one", "two"]
    pipeline.run(job, first="two")
    assert job.ran == ["one", "two", "two", "three"]


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("four", None, "unknown step 'four'; steps: one, two, three"),
        (None, "zero", "unknown step 'zero'; steps: one, two, three"),
        ("three", "one", "step 'three' comes after 'one'"),
    ],
)
def test_wrong_steps(job, pipeline, first, last, message):
    with pytest.raises(SpikeloomError, match=message):
        pipeline.run(job, first=first, last=last)
    assert not job.ran


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), RuntimeError("defect")])
def test_interrupted_leaves_nothing_that_looks_finished(job, pipeline, fault):
    pipeline.run(job)
    job.version, job.broken, job.fault = "2", "two", fault
    with pytest.raises(type(fault)):
        pipeline.run(job)
    assert present(pipeline) == [".steps/one.json", "one.txt"]
    job.broken = None
    pipeline.run(job)
    assert job.ran == ["one", "two", "three", "one", "two", "two", "three"]
    assert present(pipeline) == sorted(
        [f".steps/{n}.json" for n in ("one", "two", "three")]
        + [f"{n}.txt" for n in ("one", "two", "three")]
    )


def test_interrupted_while_publishing(job, pipeline, monkeypatch):
    import os

    replace = os.replace

    def stop(source, target):
        if str(target).endswith("two.txt"):
            raise KeyboardInterrupt
        return replace(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(job)
    assert present(pipeline) == [".steps/one.json", "one.txt"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EACCES, "Permission denied"),
        (errno.EROFS, "Read-only file system"),
    ],
)
def test_disk_errors_are_told(job, pipeline, code, words):
    import os

    job.broken, job.fault = "two", OSError(code, os.strerror(code), "somewhere/two.txt")
    with pytest.raises(SpikeloomError, match=rf"somewhere/two.txt: cannot be written \({words}\)"):
        pipeline.run(job)
    assert present(pipeline) == [".steps/one.json", "one.txt"]


def test_tool_failure_names_the_log_that_is_kept(job, pipeline, tmp_path):
    job.broken = "two"
    job.fault = ToolFailed("nextpnr", 3, tmp_path / "gone" / "two.log", ["x", "ERROR: too big"])
    with pytest.raises(SpikeloomError) as e:
        pipeline.run(job)
    log = pipeline.output / "logs" / "two.log"
    assert str(e.value) == f"nextpnr failed with exit status 3 (log: {log})\n  ERROR: too big"
    assert log.read_text(encoding="utf-8") == "said\n"


def test_tool_that_was_killed_is_told(job, pipeline, tmp_path):
    job.broken, job.fault = "two", ToolFailed("nextpnr", -15, tmp_path / "two.log", ["placing"])
    with pytest.raises(SpikeloomError, match="nextpnr was ended by signal 15"):
        pipeline.run(job)
    assert present(pipeline) == [".steps/one.json", "one.txt"]


def test_two_builds_in_one_folder(job, pipeline, need):
    fcntl = pytest.importorskip("fcntl")
    (pipeline.output / ".steps").mkdir(parents=True)
    with (pipeline.output / ".steps" / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SpikeloomError, match="another build is running here"):
            pipeline.run(job)
    assert not job.ran


def test_same_inputs_same_bytes(job, tmp_path):
    texts = []
    for name in ("a", "b"):
        p = Pipeline([job.step("one")], tmp_path / name, lambda e: None)
        p.run(job)
        texts.append((tmp_path / name / ".steps" / "one.json").read_bytes())
    assert texts[0] == texts[1]
    assert sorted(json.loads(texts[0])) == ["inputs", "outputs"]


def test_a_finished_build_is_kept_when_its_inputs_change(job, pipeline):
    pipeline.run(job)
    job.version, job.broken, job.fault = "2", "two", RuntimeError("defect")
    with pytest.raises(RuntimeError):
        pipeline.run(job)
    kept = pipeline.output / PREVIOUS
    assert {p.name: p.read_text(encoding="utf-8") for p in kept.iterdir()} == {
        "one.txt": "one 1\n",
        "two.txt": "two \n",
        "three.txt": "three \n",
    }
    notes = [e.text for e in pipeline.events if e.state == "note"]
    assert notes == [f"the finished build that was here is kept in {kept}"]
    job.broken = None
    pipeline.run(job)  # an unfinished one takes no finished one's place
    assert (kept / "one.txt").read_text(encoding="utf-8") == "one 1\n"
    assert (pipeline.output / "one.txt").read_text(encoding="utf-8") == "one 2\n"
    job.version = "3"
    pipeline.run(job, last="one")
    assert (kept / "one.txt").read_text(encoding="utf-8") == "one 2\n"
    assert (kept / "three.txt").exists()


def test_a_folder_is_of_one_target(job, tmp_path):
    steps = [job.step("one")]
    mine = {"model": "a/net.npz", "board": "x"}
    Pipeline(steps, tmp_path, lambda e: None, mine).run(job)
    Pipeline(steps, tmp_path, lambda e: None, dict(mine)).run(job)
    with pytest.raises(SpikeloomError) as e:
        Pipeline(steps, tmp_path, lambda e: None, {**mine, "model": "b/net.npz"}).run(job)
    assert str(e.value) == (
        f"{tmp_path}: holds the build of model a/net.npz, board x, not of model b/net.npz, board "
        "x; choose another folder with --output, or remove that one"
    )
    assert job.ran == ["one"]
    assert (tmp_path / "one.txt").exists()


def test_from_without_the_steps_before(job, pipeline):
    with pytest.raises(
        SpikeloomError,
        match=r"step 'one', which comes before 'three', has not "
        "been done here; leave out --from, or give --from one",
    ):
        pipeline.run(job, first="three")
    assert not job.ran
    assert not pipeline.output.exists()


def test_a_step_with_nothing_to_do_is_skipped_not_done(tmp_path):
    events = []
    step = Step("one", "do one", lambda job: 0, lambda job, work: "no tool is there")
    for _ in range(2):
        Pipeline([step], tmp_path, events.append).run(None)
    assert [(e.state, e.text) for e in events] == [
        ("start", "do one"),
        *2 * [("skipped", "no tool is there")],
    ]


def test_it_tells_whether_anything_ran(job, pipeline):
    assert pipeline.run(job)
    assert not pipeline.run(job)


@pytest.fixture
def kill_at(monkeypatch):
    """Return a function: the process ends where it moves or deletes a file, or just after it."""

    def at(function, name, after=False):
        plain = getattr(os, function)

        def call(*arguments, **options):
            hit = str(arguments[-1]).endswith(name)
            if hit and not after:
                os._exit(77)
            value = plain(*arguments, **options)
            if hit:
                os._exit(77)
            return value

        monkeypatch.setattr(os, function, call)

    return at


def killed(work):
    """Run a function in a process that is killed on the way."""
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 77


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that ends in the middle")
@pytest.mark.parametrize(
    ("function", "name", "after"),
    [
        ("replace", "out/a.txt", False),
        ("replace", "out/a.txt", True),
        ("replace", "out/b.txt", True),
        ("unlink", "out/b.txt", True),
    ],
)
def test_kill_while_files_come_or_go_leaves_nothing_stale(
    function, name, after, tmp_path, monkeypatch, kill_at
):
    """The next run makes other files: those of the killed one are gone, and none is refused."""
    names, out = ["a.txt", "b.txt"], tmp_path / "out"

    def run(job, work):
        for each in names:
            (work / each).write_text(each, encoding="utf-8")

    step = Step("one", "do one", lambda job: list(names), run)
    build = lambda: Pipeline([step], out, lambda e: None).run(None)  # noqa: E731
    if function == "unlink":
        build()
        names[:] = ["a.txt", "c.txt"]
    kill_at(function, name, after)
    killed(build)
    monkeypatch.undo()
    names[:] = ["a.txt", "d.txt"]
    assert build()
    assert sorted(p.name for p in out.iterdir() if p.is_file()) == ["a.txt", "d.txt"]
    assert not build()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that ends in the middle")
def test_pending_step_is_not_done(job, pipeline, monkeypatch, kill_at):
    kill_at("replace", "out/one.txt", True)
    killed(lambda: pipeline.run(job))
    monkeypatch.undo()
    assert (pipeline.output / "one.txt").exists()
    with pytest.raises(SpikeloomError, match=r"step 'one', .* has not been done here"):
        pipeline.run(job, first="two")
    assert pipeline.run(job)
    assert job.ran == ["one", "two", "three"]


def test_a_file_of_the_users_is_never_replaced(job, pipeline):
    pipeline.output.mkdir()
    mine = pipeline.output / "two.txt"
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(SpikeloomError) as e:
        pipeline.run(job)
    assert str(e.value) == (
        f"{mine}: no build has made this, and one here would replace it; move it away, or choose "
        "another folder with --output"
    )
    assert mine.read_text(encoding="utf-8") == "mine"
    assert present(pipeline) == [".steps/one.json", "one.txt", "two.txt"]
    mine.unlink()
    pipeline.run(job)
    assert mine.read_text(encoding="utf-8") == "two \n"


def test_files_known_beforehand_are_refused_before_anything_runs(job, tmp_path):
    (tmp_path / "one.txt").write_text("mine", encoding="utf-8")
    step = dataclasses.replace(job.step("one"), makes=("one.txt",))
    with pytest.raises(SpikeloomError, match=r"one\.txt: no build has made this"):
        Pipeline([step], tmp_path, lambda e: None).run(job)
    assert not job.ran
    assert (tmp_path / "one.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", [PREVIOUS, "logs"])
def test_a_folder_of_the_users_is_never_replaced(name, job, pipeline):
    mine = pipeline.output / name / "one.log"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(SpikeloomError, match=f"{name}: no build has made this"):
        pipeline.run(job)
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not job.ran


def test_a_users_file_beside_the_builds_stays(job, pipeline):
    pipeline.run(job)
    (pipeline.output / "notes.txt").write_text("mine", encoding="utf-8")
    job.version = "2"
    pipeline.run(job)
    assert (pipeline.output / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_a_name_that_the_build_gave_up_is_free_for_the_user(tmp_path):
    names = ["a.txt"]

    def run(job, work):
        for each in names:
            (work / each).write_text(each, encoding="utf-8")

    build = Pipeline([Step("one", "do", lambda job: list(names), run)], tmp_path, lambda e: None)
    build.run(None)
    names[:] = ["b.txt"]
    build.run(None)
    (tmp_path / "a.txt").write_text("mine", encoding="utf-8")
    names[:] = ["a.txt"]
    with pytest.raises(SpikeloomError, match=r"a\.txt: no build has made this"):
        build.run(None)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "mine"
