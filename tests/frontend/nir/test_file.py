"""NIR files: damaged, foreign, too large, linked; what is read and what is refused."""

import contextlib
import pathlib
import re
import sys

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
from sw.frontend.nir import file as nir_file  # noqa: E402
from tests.fixtures import CASES  # noqa: E402
from tests.frontend.nir.refusals import GIVEN, maker, refuse, write  # noqa: E402


def test_truncated_and_foreign_files(path):
    write(path, maker())
    data = path.read_bytes()
    for cut in (0, 5, len(data) // 2, len(data) - 3):
        path.write_bytes(data[:cut])
        refuse(path, "not readable as a NIR file", "truncated or of another kind")
    path.write_bytes(b"hello" * 100)
    refuse(path, "not readable as a NIR file")
    path.unlink()
    refuse(path, "no such file")
    with h5py.File(path, "w") as file:
        file["other"] = 1
    refuse(path, "the file has no 'node'")
    nir.write(path, nir.Linear(weight=np.ones((2, 2))))
    refuse(path, "holds a single node")


def test_damaged_bytes_raise_nothing_else(path):
    """One byte at a time, everywhere: read or refused, never another exception."""
    write(path, maker())
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(data), 150).tolist():
        old, data[at] = data[at], data[at] ^ 0xFF
        path.write_bytes(data)
        data[at] = old
        with contextlib.suppress(SpikeloomError):
            assert sw.load(path, **GIVEN).classes == 3


def test_nothing_outside_the_file_is_opened(path):
    write(path, maker())
    other = path.with_name("other.h5")
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones((4, 2, 3, 3), np.float32)
    for link in (h5py.ExternalLink(other, "secret"), h5py.SoftLink("/node/nodes/d/weight")):
        with h5py.File(path, "a") as file:
            del file["node/nodes/c/weight"]
            file["node/nodes/c/weight"] = link
        refuse(path, "c: 'weight' is a link to another place")
    with h5py.File(path, "a") as file:
        del file["node/nodes/c/weight"]
        layout = h5py.VirtualLayout(shape=(4, 2, 3, 3), dtype=np.float32)
        layout[:] = h5py.VirtualSource(other, "secret", shape=(4, 2, 3, 3))
        file.create_virtual_dataset("node/nodes/c/weight", layout)
    refuse(path, "c.weight lies in another file")


def test_sizes_are_checked_before_they_are_read(path):
    write(path, maker())
    with h5py.File(path, "a") as file:
        del file["node/nodes/c/weight"]
        shape = (1 << 20, 1 << 14)
        file.create_dataset("node/nodes/c/weight", shape=shape, dtype="f4", chunks=True)
    refuse(path, "c.weight: the arrays are larger than 1024 MiB")


def test_nothing_is_executed():
    """Node types are looked up in a table of ours; no class of the nir package is built."""
    source = pathlib.Path(sw.__file__).parent / "frontend" / "nir"
    files = {file.stem: file for file in source.glob("*.py")}
    assert {"file", "graph", "layers", "write"} <= files.keys()
    del files["write"]  # which makes such graphs with that package
    for file in files.values():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) nir\b", text, re.MULTILINE), file
    assert "eval" not in (source / "file.py").read_text(encoding="utf-8")


KINDS = {
    "CubaLIF": "a second state",
    "CubaLI": "a second state",
    "LI": "end in Linear or Affine",
    "I": "end in Linear or Affine",
    "Delay": "the same step",
    "Conv1d": "height 1 as Conv2d",
    "NIRGraph": "write it flat",
    "Sneeze": "unknown type 'Sneeze', wanted one of Input, Output, Conv2d",
}


@pytest.mark.parametrize("kind", KINDS)
def test_types_that_are_not_read(path, kind):
    write(path, maker(), a={"r": np.full((4, 6, 6), -1.0)})
    with h5py.File(path, "a") as file:
        del file["node/nodes/b/type"]
        file["node/nodes/b/type"] = kind
    refuse(path, "b is ", KINDS[kind], "a (LIF): r is -1, wanted above 0")


def test_missing_and_wrong_fields(path):
    write(path, maker())
    with h5py.File(path, "a") as file:
        del file["node/nodes/a/tau"], file["node/nodes/a/r"], file["node/nodes/b/type"]
        del file["node/nodes/c/bias"], file["node/nodes/head/weight"]
        file["node/nodes/c/bias"] = "text"
        file["node/nodes/head/weight"] = np.full((3, 144), np.nan)
    refuse(
        path,
        "a (LIF) has no tau, r",
        "b has no 'type'",
        "c.bias is 'text', wanted numbers",
        "head.weight holds NaN",
    )
    write(path, maker())
    with h5py.File(path, "a") as file:
        del file["node/nodes/c/bias"]
        file["node/nodes/c/bias"] = np.ones(4, dtype=complex)
    refuse(path, "c.bias holds complex128, wanted real numbers")


def test_packages_that_are_missing(path, monkeypatch):
    write(path, maker())
    net = sw.load(path, **GIVEN)
    monkeypatch.setitem(sys.modules, "h5py", None)
    refuse(path, "needs h5py; pip install -e '.[nir]'")
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(SpikeloomError, match=r"needs the nir package; pip install -e '\.\[nir\]'"):
        sw.nir.save(net, path)


def test_a_file_that_hangs_the_library_is_refused(monkeypatch):
    """Damage inside HDF5's heap, found by the fuzz: reading it never ends."""
    monkeypatch.setattr(nir_file, "PATIENCE", 1)
    with pytest.raises(SpikeloomError, match="reading it does not end"):
        sw.load(CASES / "endless.nir", dt=0.5, steps=2, mean=0.5, std=0.5)
