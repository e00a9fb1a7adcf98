"""Compiled loops: numba there, missing, broken; code kept, damaged, without a place."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hw.common import jit
from hw.common.errors import SpikeloomError

ROOT = Path(__file__).parents[2]
GOLDEN = """
import sys
import numpy as np
from sw.golden.execute import kernels
from sw.testing import random_images, random_network
network = random_network(4, height=16, width=16, channels=1, dim=16, depth=1, heads=2, mlp_ratio=2,
                         steps=2, order="qk", similarity="and", variant="cifar", classes=4)
print(kernels().__name__, network.run(random_images(network, 3)).logits.tolist())
"""


@pytest.fixture(autouse=True)
def _fresh():
    jit._folder.cache_clear()
    yield
    jit._folder.cache_clear()


def golden(code: str = "", **changes: str | None) -> tuple[str, str, str]:
    """Kernels and logits of a fresh process's golden model, and what it wrote beside."""
    env = {k: v for k, v in os.environ.items() if k not in ("SPIKELOOM_CACHE", "XDG_CACHE_HOME")}
    env.pop("NUMBA_CACHE_DIR", None)
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    done = subprocess.run(
        [sys.executable, "-c", code + GOLDEN],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name, logits = done.stdout.strip().split(" ", 1)
    return name, logits, done.stderr


def test_places(need, tmp_path):
    """Kept code, damaged code, no home, a file in the folder's place, another's folder: same."""
    need(jit.numba(), "numba")
    cache = str(tmp_path / "cache")
    name, want, said = golden(SPIKELOOM_CACHE=cache)
    assert (name, said) == ("sw.golden.compiled", "")
    files = sorted((tmp_path / "cache" / "numba").iterdir())
    assert {path.name.split("-")[0] for path in files} == {
        "_binary_sums",
        "_lane",
        "_pixel_sums",
        "_row_counts",
    }
    kept = [path.read_bytes() for path in files]
    assert golden(SPIKELOOM_CACHE=cache) == (name, want, "")
    assert [path.read_bytes() for path in files] == kept
    damaged = [b"", kept[1][: len(kept[1]) // 2], bytes([kept[2][0] ^ 1]) + kept[2][1:]]
    damaged.append(kept[3][:9000] + bytes([kept[3][9000] ^ 1]) + kept[3][9001:])
    for path, content in zip(files, damaged, strict=False):
        path.write_bytes(content)
    assert golden(SPIKELOOM_CACHE=cache) == (name, want, "")
    assert all(a.read_bytes() != b for a, b in zip(files, damaged, strict=False))

    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    nowhere = {"HOME": "/proc/nonexistent", "TMPDIR": str(tmp_path)}
    for places in (
        {"SPIKELOOM_CACHE": str(blocked)},
        {"NUMBA_CACHE_DIR": str(blocked)},
        {"XDG_CACHE_HOME": str(blocked), **nowhere},
    ):
        assert golden(**places) == (name, want, "")
    assert list(tmp_path.glob("spikeloom-*/numba/*.code"))  # the last found the temporary folder


def test_full_disk(need, monkeypatch, tmp_path):
    need(jit.numba(), "numba")

    def full(path, cure=""):
        raise SpikeloomError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr(jit, "whole", full)
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    assert jit.jit(_twice)(np.int64(4)) == 8
    assert list((tmp_path / "numba").iterdir()) == []


def test_constants_take_part(need, monkeypatch, tmp_path):
    """A number of the module is part of the code, so other numbers are other code."""
    need(jit.numba(), "numba")
    monkeypatch.setenv("SPIKELOOM_CACHE", str(tmp_path))
    assert jit.jit(_scaled)(np.int64(4)) == 12
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 5)
    assert jit.jit(_scaled)(np.int64(4)) == 20
    assert len(list((tmp_path / "numba").iterdir())) == 2


FACTOR = 3


def _twice(x):
    return 2 * x


def _scaled(x):
    return FACTOR * x


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ImportError('Numba needs NumPy 2.0 or less')", "Numba needs NumPy 2.0 or less"),
        ("raise OSError('Could not find libllvmlite.so')", "libllvmlite.so"),
        ("import module_that_is_missing", "module_that_is_missing"),
    ],
)
def test_broken_numba(tmp_path, body, said):
    """A numba that does not import: numpy computes, and one warning says why."""
    (tmp_path / "numba.py").write_text(body + "\n", encoding="utf-8")
    name, logits, stderr = golden(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    assert name == "sw.golden.plain"
    assert said in stderr
    assert stderr.count("UserWarning") == 1
    assert "Traceback" not in stderr
    assert (logits, "") == golden("import sys; sys.modules['numba'] = None")[1:]


def test_switched_off():
    assert golden(NUMBA_DISABLE_JIT="1")[0] == "sw.golden.plain"
