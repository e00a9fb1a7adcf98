"""The harness finds what it is for: raw errors, hangs, ends, hunger, litter, long messages."""

import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from hw.common import npz
from hw.common.errors import SpikeloomError
from tests.fuzz import harness, mutate, seeds
from tests.fuzz.harness import Report, read

KINDS = ["npy", "pgm"]


@pytest.fixture
def small(monkeypatch):
    """Seeds that need nothing made, and a process that keeps its limits."""
    files = {"npy": ("image.npy", b"n" * 99), "pgm": ("image.pgm", b"p" * 99)}
    monkeypatch.setattr(harness.seeds, "make", lambda folder: files)
    monkeypatch.setattr(harness.resource, "setrlimit", lambda *a: None)


def work(folder, reader, monkeypatch, cases=4):
    """Return what a worker tells of ``cases`` cases that ``reader`` reads."""
    told = []
    monkeypatch.setattr(harness, "read", reader)
    pipe = SimpleNamespace(send=told.append)
    harness._work(pipe, 0, 0, cases, KINDS, str(folder))
    assert told[-1] == ("done",)
    assert [t[:4] for t in told[:-1:2]] == [
        ("begin", n, KINDS[n % 2], f"image.{KINDS[n % 2]}") for n in range(cases)
    ]
    assert [t[:2] for t in told[1::2]] == [("end", n) for n in range(cases)]
    assert list(folder.iterdir()) == []
    return [t[2:4] for t in told[1::2]]


def test_verdicts_of_a_reader(small, tmp_path, monkeypatch):
    verdicts = iter(["read", "refused", "read", "refused"])
    assert work(tmp_path, lambda *a: next(verdicts), monkeypatch) == [
        ("read", ""),
        ("refused", ""),
        ("read", ""),
        ("refused", ""),
    ]


@pytest.mark.parametrize("error", [KeyError("inner"), AssertionError("inner"), MemoryError()])
def test_raw_errors_are_findings(error, small, tmp_path, monkeypatch):
    def reader(kind, path):
        if kind == "pgm":
            raise error
        return "read"

    good, bad = work(tmp_path, reader, monkeypatch)[:2]
    assert good == ("read", "")
    assert bad[0] == "finding"
    assert "MemoryError" in bad[1] if isinstance(error, MemoryError) else "inner" in bad[1]


def test_litter_is_a_finding(small, tmp_path, monkeypatch):
    def reader(kind, path):
        (path.parent / "left.part").touch()
        return "refused"

    found = work(tmp_path, reader, monkeypatch)
    assert all(v == "finding" and "left.part" in what for v, what in found)


@pytest.mark.parametrize(("name", "limit"), [("CPU", -1.0), ("GROWTH", -1)])
def test_time_and_memory_over_a_limit_are_findings(name, limit, small, tmp_path, monkeypatch):
    monkeypatch.setattr(harness, name, limit)
    found = work(tmp_path, lambda *a: "read", monkeypatch)
    assert [verdict for verdict, _ in found] == ["finding"] * 4


def follow(told, tmp_path, alive=True):
    """Return the report and the first case left after messages ``told``; None: silence."""
    messages, report = list(told), Report()

    def recv():
        if messages[0] is EOFError:
            raise EOFError
        return messages.pop(0)

    pipe = SimpleNamespace(poll=lambda patience: messages[0] is not None, recv=recv)
    worker = SimpleNamespace(is_alive=lambda: alive)
    home, seen = tmp_path / "home", []
    home.mkdir()
    (home / "image.npy").write_bytes(b"damaged")
    left = harness._follow(report, pipe, worker, home, 7, 3, tmp_path / "kept", seen.append)
    assert sum(seen) == sum(report.counts.values())
    return report, left


def test_a_worker_that_does_all(tmp_path):
    report, left = follow(
        [
            ("begin", 3, "npy", "image.npy"),
            ("end", 3, "read", "", 1.5, 10),
            ("begin", 4, "npy", "image.npy"),
            ("end", 4, "refused", "", 0.5, 30),
            ("done",),
        ],
        tmp_path,
    )
    assert left == 5
    assert report.counts == {("npy", "read"): 1, ("npy", "refused"): 1}
    assert (report.worst, report.growth, report.findings) == (1.5, 30, [])
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    ("end", "alive", "what"),
    [(EOFError, False, "the process ended"), (None, True, "the process hangs")],
)
def test_a_worker_that_ends_or_hangs(end, alive, what, tmp_path):
    report, left = follow([("begin", 4, "npy", "image.npy"), end], tmp_path, alive)
    assert left == 5
    assert report.findings == [f"seed 7, case 4, npy: {what}"]
    assert (tmp_path / "kept" / "seed7-case4-image.npy").read_bytes() == b"damaged"


def test_a_finding_is_kept_and_the_worker_goes_on(tmp_path):
    told = [
        ("begin", 3, "npy", "image.npy"),
        ("end", 3, "finding", "KeyError", 0.1, 1),
        ("begin", 4, "npy", "image.npy"),
        ("end", 4, "read", "", 0.1, 1),
        ("done",),
    ]
    report, left = follow(told, tmp_path)
    assert left == 5
    assert report.findings == ["seed 7, case 3, npy: KeyError"]
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["seed7-case3-image.npy"]


@pytest.mark.parametrize(("text", "long"), [("x" * 4000, 0), ("x" * 4001, 1), ("x\n" * 21, 1)])
def test_a_message_must_be_short(text, long, tmp_path, monkeypatch):
    import sw.host.image

    def refuse(*a):
        raise SpikeloomError(text)

    monkeypatch.setattr(sw.host.image, "read_image", refuse)
    if long:
        with pytest.raises(AssertionError, match=f"a message of {len(text)} letters"):
            read("npy", tmp_path / "image.npy")
    else:
        assert read("npy", tmp_path / "image.npy") == "refused"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return seeds.make(tmp_path_factory.mktemp("seeds"))


def test_damage_is_of_the_seed(files):
    """The same again for the same seed; another one nearly always."""
    for kind, (_, data) in files.items():
        made = [mutate.mutate(np.random.default_rng([1, n]), kind, data) for n in range(20)]
        again = [mutate.mutate(np.random.default_rng([1, n]), kind, data) for n in range(20)]
        assert made == again, kind
        assert len(set(made)) >= 10, kind
        assert data not in made or made.count(data) < 10, kind


@pytest.mark.parametrize("kind", ["network", "program"])
def test_sealed_damage_gets_behind_the_seal(kind, files, tmp_path):
    """What is packed again carries the digest of what it holds now; blind damage does not."""
    said = []
    for n in range(40):
        data = mutate._zip(np.random.default_rng(n), files[kind][1], True)
        (tmp_path / "a.npz").write_bytes(data)
        with zipfile.ZipFile(tmp_path / "a.npz") as archive:
            assert archive.testzip() is None
        try:
            npz.read(tmp_path / "a.npz", sealed=True)
        except npz.ArchiveError as error:
            said.append(str(error))
    assert len(said) <= 30
    assert not any("digest" in text for text in said)
