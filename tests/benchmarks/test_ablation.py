"""The ablation's runs, its verdicts and its page, with the training itself replaced."""

import json
import re
import subprocess
import sys

import pytest

import sw.data
from benchmarks import ablation, ablation_page
from hw.common.errors import SpikeloomError
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.model import Qsnn
from sw.train import __main__ as command_line
from sw.train.loop import Result

PNG = b"\x89PNG\r\n\x1a\n"
EPOCHS = ablation.EPOCHS
JOBS = ablation.jobs((0, 1, 2), EPOCHS, 0)


def result(job, accuracy=None):
    """What `run_job` gives: the more of the method, the better."""
    rank = [*ablation.BESTFORMER, *ablation.QSNN].index(job.variant)
    return {
        "group": job.group,
        "variant": job.variant,
        "seed": job.seed,
        "test_accuracy": 0.9 + 0.01 * rank + 0.001 * job.seed if accuracy is None else accuracy,
        "test_images": 10000,
        "validation_accuracy": 0.9,
        "seconds": 60.0,
        "loss": 0.5,
        "torch": "2",
        "arguments": job.arguments,
        "key": job.key,
    }


@pytest.fixture
def ran(monkeypatch):
    """Jobs that were run, none of them really."""
    seen = []

    def run_job(job, folder, data_dir):
        seen.append(job)
        return result(job)

    monkeypatch.setattr(ablation, "run_job", run_job)
    monkeypatch.setattr(sw.data, "load", lambda *_: None)
    monkeypatch.setattr(ablation_page, "picture", lambda _: PNG)  # slow
    return seen


@pytest.fixture
def words(tmp_path):
    return ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"), "--jobs", "1"]


def test_jobs():
    groups = [j.group for j in JOBS]
    assert groups.count("bestformer") == 4 * 3
    assert [groups.count(f"qsnn {bits} bits") for bits in (2, 4, 8)] == [12] * 3
    assert len(JOBS) == 12 + 36
    assert len({j.stem for j in JOBS}) == len({j.key for j in JOBS}) == len(JOBS)
    assert all(re.fullmatch(r"[a-z0-9-]+", j.stem) for j in JOBS)
    for seed in (0, 1, 2):  # teachers before their students
        own = [j for j in JOBS if j.group == "bestformer" and j.seed == seed]
        assert own[0].variant == ablation.FULL
        assert [j.variant for j in own if "TEACHER" in j.arguments] == [
            "+ reversible and distillation (CIE)"
        ]
    assert not {j.key for j in JOBS} & {j.key for j in ablation.jobs((0, 1, 2), EPOCHS + 1, 0)}
    assert not {j.key for j in JOBS} & {j.key for j in ablation.jobs((0, 1, 2), EPOCHS, 100)}


@pytest.mark.parametrize("epochs", [EPOCHS, 10, 30])
def test_every_job_is_a_command_that_is_understood(monkeypatch, tmp_path, epochs):
    options, model = [], Qsnn(QsnnConfig(widths=(4,), blocks=(1,)))
    jobs = ablation.jobs((0, 1, 2), epochs, 0)

    def train(found, out, **_):
        options.append(found)
        notes = {"test_images": 1, "test_wrong": 0}
        return Result(model=model, test_accuracy=1.0, notes=notes)

    monkeypatch.setattr("sw.train.loop.train", train)
    for job in jobs:
        assert command_line.run([*job.arguments.split(), "--out", str(tmp_path / "a")]) == 0
    for job, found in zip(jobs, options, strict=True):
        assert (found.data, found.epochs, found.batch) == ("mnist", epochs, ablation.BATCH)
        assert (found.seed, found.config.height) == (job.seed, ablation.SIZE)
        plain = {ablation.FULL: (False, False), "binary baseline": (True, False)}
        if job.group == "bestformer":
            kind = (found.config.binary, found.config.reversible)
            assert kind == plain.get(job.variant, (True, True))
            assert bool(found.teacher) == ("CIE" in job.variant)
            assert found.lr == (0.002 if job.variant == ablation.FULL else 0.01)
        else:
            assert job.group == f"qsnn {found.config.membrane_bits} bits"
            regulated = (
                "weight" in job.variant or "both" in job.variant,
                "spike" in job.variant or "both" in job.variant,
            )
            assert (found.config.regulated, found.rate_weight > 0) == regulated
    # nothing but what is compared differs, and so nothing rounds in some runs alone
    assert len({o.rounds for o in options}) == 1


@pytest.mark.parametrize(
    ("gaps", "word"),
    [
        ((1.0, 1.2, 0.9), "holds"),
        ((-1.0, -1.2, -0.9), "reversed"),
        ((1.0, -1.0, 0.1), "drowns in the spread"),
        ((0.0, 0.0, 0.0), "drowns in the spread"),
        ((0.5, 0.5), "holds"),
        ((1.0,), "one seed says nothing"),
        ((), "one seed says nothing"),
    ],
)
def test_verdict(gaps, word):
    worse = {seed: 90.0 for seed in range(len(gaps))} | {7: 1.0}  # a seed without its pair
    better = {seed: 90.0 + gap for seed, gap in enumerate(gaps)} | {8: 99.0}
    found, mean, sigma = ablation_page.verdict(worse, better)
    assert found == word
    if gaps:
        assert mean == pytest.approx(sum(gaps) / len(gaps))
    if gaps == (1.0, -1.0, 0.1):
        assert sigma == pytest.approx(1.00167, abs=1e-5)


def test_page_has_every_claim_and_the_command():
    text = ablation_page.markdown(
        [result(j) for j in JOBS], "python -m x --y", ablation.SIZE, "a.png"
    )
    assert "```sh\npython -m x --y\n```" in text
    assert "![accuracies](a.png)" in text
    assert "48 runs, seeds 0, 1, 2, 48 minutes" in text
    assert "all 10000 test images" in text
    for group, worse, better in ablation_page.CLAIMS:
        row = re.escape(f"| {group} | {worse} | {better} | ")
        assert re.search(rf"^{row}[+-]\d+\.\d\d ± \d+\.\d\d \| holds \|$", text, re.M), worse
    assert text.count("| + both (WS-DR) | 97.10 | 0.10 | 97.00 | 97.10 | 97.20 |") == 3
    assert len(ablation_page.CLAIMS) == 4 + 3 * 5
    # a part of the runs makes a page of those
    part = ablation_page.markdown([result(j) for j in JOBS[:6]], "c", ablation.SIZE, "a.png")
    assert "| binary baseline | 90.05 | 0.07 | 90.00 | 90.10 |" in part
    assert "## qsnn" not in part


def test_picture():
    assert ablation_page.picture([result(j) for j in JOBS]).startswith(PNG)
    assert ablation_page.picture([result(JOBS[0])]).startswith(PNG)


def test_a_whole_run_is_kept(ran, words, tmp_path, capsys):
    ablation.run(words)
    assert {j.key for j in ran} == {j.key for j in JOBS}
    full = [j.variant == ablation.FULL for j in ran]
    assert full == [True] * 3 + [False] * 45  # teachers first
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == ["ablation.json", "ablation.md", "ablation.png"]
    assert (out / "ablation.png").read_bytes().startswith(PNG)
    page = (out / "ablation.md").read_text(encoding="utf-8")
    assert "python -m benchmarks.ablation --out" in page
    kept = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    assert [r["key"] for r in kept["runs"]] == [j.key for j in JOBS]
    assert "ablation.md: 48 runs" in capsys.readouterr().out

    ran.clear()
    ablation.run(words)
    assert ran == []
    assert (out / "ablation.md").read_text(encoding="utf-8") == page
    ablation.run([*words, "--epochs", str(EPOCHS + 1), "--only", "qsnn", "--seeds", "5"])
    assert [j.group for j in ran] == [f"qsnn {b} bits" for b in (2, 4, 8) for _ in range(4)]
    assert all(f"--epochs {EPOCHS + 1} " in j.arguments and j.seed == 5 for j in ran)


def test_what_is_finished_survives_a_failure(ran, words, monkeypatch, tmp_path, capsys):
    kept = ablation.run_job

    def run_job(job, folder, data_dir):
        if len(ran) == 5:
            raise SpikeloomError("Ablation: that failed")
        return kept(job, folder, data_dir)

    with monkeypatch.context() as patch:
        patch.setattr(ablation, "run_job", run_job)
        patch.setattr(sys, "argv", ["ablation", *words])
        assert ablation.main() == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: Ablation: that failed"
    text = (tmp_path / "out" / "ablation.json").read_text(encoding="utf-8")
    assert len(json.loads(text)["runs"]) == 5
    ablation.run(words)
    assert len(ran) == 48


def test_a_job_runs_the_command_and_reads_its_result(monkeypatch, tmp_path):
    commands = []
    fields = {
        "test_accuracy": 0.5,
        "test_images": 10,
        "validation_accuracy": None,
        "seconds": 1.0,
        "history": [{"loss": 3.0}, {"loss": 2.0}],
        "torch": "2",
    }

    def call(command, **rest):
        commands.append(command)
        assert rest["env"]["OMP_NUM_THREADS"] == "1"
        out = command[command.index("--out") + 1]
        (tmp_path / out).with_suffix(".json").write_text(json.dumps(fields), encoding="utf-8")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", call)
    job = next(j for j in JOBS if "TEACHER" in j.arguments and j.seed == 1)
    found = ablation.run_job(job, tmp_path, tmp_path / "data")
    assert set(found) == set(result(job))
    assert (found["loss"], found["key"]) == (2.0, job.key)
    (command,) = commands
    assert command[1:3] == ["-m", "sw.train"]
    teacher = next(j for j in JOBS if j.variant == ablation.FULL and j.seed == 1)
    assert str(tmp_path / f"{teacher.stem}.safetensors") in command
    assert command[-2:] == ["--data-dir", str(tmp_path / "data")]
    assert "TEACHER" not in command
    (tmp_path / f"{job.stem}.state.pt").touch()
    ablation.run_job(job, tmp_path, None)
    assert commands[1][-1] == "--resume"


def test_a_job_that_fails_says_which(monkeypatch, tmp_path):
    def call(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "much\nerror: no such thing\n")

    monkeypatch.setattr(subprocess, "run", call)
    message = r"-m sw\.train --data mnist .*failed \(error: no such thing\); .*finished runs are k"
    with pytest.raises(SpikeloomError, match=message):
        ablation.run_job(JOBS[0], tmp_path, None)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"runs": [{}]}', '{"runs": 3}'])
def test_damaged_results_are_refused(ran, words, tmp_path, content):
    path = tmp_path / "out" / "ablation.json"
    path.parent.mkdir()
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"ablation\.json: holds no results \(.*delete it"):
        ablation.run(words)
    assert ran == []
    assert path.read_text(encoding="utf-8") == content


def test_missing_data_are_said_at_once(words, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path / "none"))
    with pytest.raises(SpikeloomError, match=r"run python -m sw\.data fetch mnist"):
        ablation.run(words)


def test_interrupted_it_goes_on(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ablation, "run", interrupted)
    assert ablation.main() == 130
    assert capsys.readouterr().err == "interrupted; the same command goes on\n"
