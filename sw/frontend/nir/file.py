"""NIR files (HDF5) as plain arrays: nothing in a file is executed, no other file is opened."""

import math
import os
import pathlib
import signal
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hw.common.errors import SpikeloomError
from hw.common.show import cut, shown

SUFFIX = ".nir"
MARK = "spikeloom"  #: Key in the graph's metadata that tells a file of ``sw.nir``.
MAX_BYTES = 1 << 30  #: Of all arrays of a file together.
PATIENCE = 10  #: CPU seconds that reading a file may take.
#: Node types that are read, and the fields each needs.
FIELDS = {
    "Input": ("shape",),
    "Output": ("shape",),
    "Conv2d": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "Affine": ("weight", "bias"),
    "Linear": ("weight",),
    "Scale": ("scale",),
    "Flatten": ("start_dim", "end_dim"),
    "AvgPool2d": ("kernel_size", "stride", "padding"),
    "SumPool2d": ("kernel_size", "stride", "padding"),
    "Threshold": ("threshold",),
    "IF": ("r", "v_threshold"),
    "LIF": ("tau", "r", "v_leak", "v_threshold"),
}
#: Node types of NIR that are not, and why.
REFUSED = {
    "Conv1d": "networks read images; give it a kernel of height 1 as Conv2d",
    "CubaLIF": "its synaptic current is a second state, which no neuron here keeps",
    "CubaLI": "its synaptic current is a second state, which no neuron here keeps",
    "LI": "a readout that integrates has no place here; end in Linear or Affine",
    "I": "a readout that integrates has no place here; end in Linear or Affine",
    "Delay": "every layer reads the spikes of the same step",
    "NIRGraph": "graphs inside graphs are not read; write it flat",
}
BROKEN = (
    OSError,
    KeyError,
    ValueError,
    RuntimeError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)


@dataclass(frozen=True, kw_only=True)
class NIRNode:
    """A node as stored; metadata holds numbers, text and flat arrays only."""

    name: str
    kind: str
    fields: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and type, for messages."""
        return f"{self.name} ({self.kind})" if self.kind else self.name


@dataclass(frozen=True, kw_only=True)
class NIRFile:
    """A graph as stored, and what could not be taken from it."""

    nodes: dict[str, NIRNode]
    edges: tuple[tuple[str, str], ...]
    metadata: dict[str, Any]
    version: str
    faults: tuple[str, ...]


class _FaultError(Exception):
    """Something in the file that is refused."""


def read_graph(path: pathlib.Path) -> NIRFile:
    """Nodes, edges and metadata of ``path``; values are checked by who reads the graph."""
    if not path.is_file():
        raise SpikeloomError(f"{path}: no such file; give a NIR file's path")
    try:
        import h5py
    except ImportError:
        raise SpikeloomError(
            f"{path}: reading NIR files needs h5py; pip install -e '.[nir]'"
        ) from None
    _try_apart(path, h5py)
    try:
        return _graph(path, h5py)
    except _FaultError as error:
        raise SpikeloomError(f"{path}: {error}; write it with nir.write") from None
    except BROKEN as error:
        detail = str(error).strip().split("\n")[0] or type(error).__name__
        raise SpikeloomError(
            f"{path}: not readable as a NIR file ({detail}); the file is truncated or of another "
            "kind: fetch or write it again"
        ) from None


def _graph(path: pathlib.Path, h5py) -> NIRFile:
    with h5py.File(path, "r") as file:
        return _Reader(h5py).graph(file)


def _try_apart(path: pathlib.Path, h5py) -> None:
    """Read the file in a process of its own first: damage may hang the library, or end us.

    SpikeloomError where it does. Only where a process can be forked.
    """
    if not hasattr(os, "fork"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads, none of which the child needs
        child = os.fork()
    if child == 0:
        try:
            import resource

            resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            _graph(path, h5py)
        except BaseException:
            os._exit(0)  # what it is, the caller finds out
        os._exit(0)
    deadline, nap = time.monotonic() + 4 * PATIENCE, 0.001
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(nap)
        nap = min(2 * nap, 0.05)
    if status:
        raise SpikeloomError(
            f"{path}: not readable as a NIR file (reading it does not end, or ends the process); "
            "the file is damaged: fetch or write it again"
        )


class _Reader:
    def __init__(self, h5py):
        self.h5py, self.left = h5py, MAX_BYTES

    def graph(self, file) -> NIRFile:
        root = self._child(file, "node", "the file")
        if self._text(root, "type", "the graph") != "NIRGraph":
            raise _FaultError("holds a single node, wanted a NIRGraph")
        stored = self._child(root, "nodes", "the graph")
        nodes, faults = {}, []
        for name in stored:
            try:
                nodes[name] = self._node(name, self._child(stored, name, "the graph"))
            except _FaultError as error:
                faults.append(str(error))
                nodes[name] = NIRNode(name=name, kind="", fields={})
        edges = self._value(self._child(root, "edges", "the graph"), "edges")
        if edges.size and (edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind != "O"):
            raise _FaultError(f"edges are {edges.dtype} {edges.shape}, wanted pairs of names")
        pairs = tuple((str(a), str(b)) for a, b in edges) if edges.size else ()
        version = self._text(file, "version", "the file") if "version" in file else ""
        metadata = self._metadata(root)
        return NIRFile(
            nodes=nodes, edges=pairs, metadata=metadata, version=version, faults=tuple(faults)
        )

    def _node(self, name: str, group) -> NIRNode:
        kind = self._text(group, "type", name)
        if kind in REFUSED:
            raise _FaultError(f"{name} is a {kind}: {REFUSED[kind]}")
        if kind not in FIELDS:
            known = ", ".join(FIELDS)
            raise _FaultError(
                f"{cut(name)} is of unknown type {shown(kind)}, wanted one of {known}"
            )
        missing = [key for key in FIELDS[kind] if key not in group]
        if missing:
            raise _FaultError(f"{name} ({kind}) has no {', '.join(missing)}")
        keys = [*FIELDS[kind], *(["v_reset"] if "v_reset" in group else [])]
        fields = {key: self._field(group, key, name) for key in keys}
        return NIRNode(name=name, kind=kind, fields=fields, metadata=self._metadata(group))

    def _field(self, group, key: str, name: str):
        value = self._value(self._child(group, key, name), f"{name}.{key}")
        if isinstance(value, str) and key != "padding":
            raise _FaultError(f"{cut(name)}.{cut(key)} is {shown(value)}, wanted numbers")
        if not isinstance(value, str) and not np.isfinite(value).all():
            raise _FaultError(f"{name}.{key} holds NaN or infinity")
        return value

    def _metadata(self, group) -> dict[str, Any]:
        if "metadata" not in group:
            return {}
        held = self._child(group, "metadata", "a node")
        found = {}
        for key in held:
            item = self._child(held, key, "metadata")
            if isinstance(item, self.h5py.Dataset) and item.ndim <= 1:
                value = self._value(item, f"metadata.{key}")
                found[key] = value.tolist() if isinstance(value, np.ndarray) else value
        return found

    def _child(self, group, key: str, where: str):
        """Member ``key``, if it lies in this file."""
        if not isinstance(group, self.h5py.Group) or key not in group:
            raise _FaultError(f"{where} has no {key!r}")
        if not isinstance(group.get(key, getlink=True), self.h5py.HardLink):
            raise _FaultError(f"{where}: {key!r} is a link to another place")
        return group[key]

    def _text(self, group, key: str, where: str) -> str:
        value = self._value(self._child(group, key, where), f"{where}.{key}")
        if not isinstance(value, str):
            raise _FaultError(f"{where}.{key} is no text")
        return value

    def _value(self, item, where: str) -> Any:
        """An array of numbers (or, two-dimensional, of text), or one text."""
        if not isinstance(item, self.h5py.Dataset):
            raise _FaultError(f"{where} is no data set")
        if item.is_virtual or item.external:
            raise _FaultError(f"{where} lies in another file")
        if item.shape is None:
            raise _FaultError(f"{where} is empty")
        size = math.prod(item.shape) * item.dtype.itemsize
        if size > self.left:
            raise _FaultError(f"{where}: the arrays are larger than {MAX_BYTES >> 20} MiB")
        self.left -= size
        if self.h5py.check_string_dtype(item.dtype) is not None:
            text = item.asstr()[()]
            return text if isinstance(text, str) else np.asarray(text, dtype=object)
        if item.dtype.kind not in "fiub":
            raise _FaultError(f"{where} holds {item.dtype}, wanted real numbers")
        return np.asarray(item[()])
