"""Every reader on a few hundred damaged files; ``python -m tests.fuzz`` tries more."""

import pytest

from tests.fuzz import seeds
from tests.fuzz.harness import read, run


def test_whole_files_are_read(tmp_path):
    """What is damaged is whole before."""
    files = seeds.make(tmp_path)
    for kind, (name, data) in files.items():
        folder = tmp_path / kind
        folder.mkdir()
        if kind != "nir":
            (folder / "net.json").write_bytes(files["side"][1])
        (folder / "net.npz").write_bytes(files["npz"][1])
        (folder / name).write_bytes(data)
        assert read(kind, folder / name) == "read", kind


@pytest.mark.parametrize("seed", [0, 1])
def test_damaged_files_are_read_or_refused(seed, tmp_path):
    report = run(seed, 600, keep=tmp_path / "kept")
    assert not report.findings, "\n".join(report.findings[:5])
    assert sum(report.counts.values()) == 600
    kinds = {kind for kind, _ in report.counts}
    assert {"npz", "safetensors", "side", "network", "program", "npy", "pgm"} <= kinds
    assert all(report.counts[kind, "refused"] for kind in kinds - {"side"})
