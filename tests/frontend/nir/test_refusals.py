"""Every message about a NIR file that cannot be read."""

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
from tests.frontend.nir.reference import Maker  # noqa: E402

TOLD = {"steps": 2, "dt": 1e-4, "mean": 0.0, "std": 1.0}


def maker():
    make = Maker((2, 6, 6)).conv("c", 4, binary=False).lif("a").conv("d", 4).lif("b")
    return make.flatten().affine("head", 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.nir"


def refuse(path, *parts, **options):
    with pytest.raises(SpikeloomError) as caught:
        sw.load(path, **{**TOLD, **options})
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    for part in parts:
        assert part in text, text
    return text


def write(path, make, **change):
    """Write with fields of nodes changed: name=dict(field=value)."""
    graph = make.graph()
    for name, fields in change.items():
        for key, value in fields.items():
            setattr(graph.nodes[name], key, value)
    nir.write(path, graph)


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
            assert sw.load(path, **TOLD).classes == 3


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


def test_faults_of_many_nodes_in_one_message(path):
    make = maker()
    write(
        path,
        make,
        a={"v_leak": np.full((4, 6, 6), 0.5)},
        b={"v_reset": np.full((4, 6, 6), -1.0)},
        d={"groups": 2},
        head={"bias": np.ones(4)},
    )
    refuse(
        path,
        "a (LIF): v_leak is 0.5, wanted 0",
        "b (LIF): v_reset is -1, wanted 0",
        "d (Conv2d): has 2 groups, wanted 1",
        "head (Affine): bias is (4,), wanted (3,)",
    )


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


def test_edges(path):
    make = maker()
    make.edges += [("a", "nowhere"), ("ghost", "b"), ("c", "a")]
    write(path, make)
    refuse(
        path,
        "edge a -> nowhere names nowhere, which is no node",
        "edge ghost -> b names ghost, which is no node",
        "edge c -> a is there 2 times",
    )
    make = maker()
    make.edges += [("b", "d")]
    write(path, make)
    refuse(path, "recurrent connections through b, d")
    make = maker()
    make.edges.remove(("d", "b"))
    write(path, make)
    refuse(path, "nothing feeds b (LIF)", "d (Conv2d) leads nowhere")
    make = maker()
    make.edges += [("a", "in"), ("out", "c")]
    write(path, make)
    refuse(path, "a feeds in (Input)", "out (Output) leads on to c")
    write(path, maker())
    with h5py.File(path, "a") as file:
        del file["node/edges"]
        file["node/edges"] = np.ones((3, 3))
    refuse(path, "edges are float64 (3, 3), wanted pairs of names")


def test_inputs_and_outputs(path):
    make = maker().add("in2", nir.Input(np.array([4, 6, 6])), (4, 6, 6), "in")
    make.edges.remove(("in", "in2"))
    make.last, make.shape = "head", (3,)
    make.edges.append(("in2", "a"))
    write(path, make)
    refuse(path, "2 Input nodes (in, in2), wanted one")
    make = maker()
    make.nodes["in"] = nir.Input(np.array([3, 2, 6, 6]))
    write(path, make)
    refuse(path, "in (Input): shape is (3, 2, 6, 6), wanted (channels, height, width)")
    write(path, maker(), out={"output_type": {"output": np.array([4])}})
    with h5py.File(path, "a") as file:
        file["node/nodes/out/shape"][()] = 4
    refuse(path, "out (Output): says (4,) and gets (3,)")
    make = Maker((1, 4, 4)).conv("c", 2).lif("a")
    write(path, make)
    refuse(path, "out (Output): gets (2, 4, 4), wanted one value for each class")


WRONG = {
    "dilated": ("d", {"dilation": (2, 2)}, "is dilated, wanted dilation 1"),
    "stride": ("d", {"stride": (1, 2)}, "stride is 1x2, wanted the same both ways"),
    "no stride": ("d", {"stride": (0, 0)}, "stride is 0, wanted 1 or more"),
    "padding": ("d", {"padding": (1, 0)}, "padding is 1x0, wanted the same both ways"),
    "half padding": ("d", {"padding": (0.5, 0.5)}, "wanted (height, width)"),
    "same": ("d", {"padding": "same", "stride": (2, 2)}, "padding is 'same' of a 3x3 kernel"),
    "channels": ("d", {"weight": np.ones((4, 3, 3, 3))}, "reads 3 channels and gets 4"),
    "bias": ("d", {"bias": np.ones(3)}, "weight is (4, 4, 3, 3) and bias (3,)"),
    "kernel": ("d", {"weight": np.ones((4, 4, 9, 9))}, "its 9x9 kernel exceeds (4, 6, 6)"),
    "matrix": ("head", {"weight": np.ones((1, 3, 144))}, "weight is (1, 3, 144), wanted (out, in)"),
    "head": ("head", {"bias": np.ones(4)}, "bias is (4,), wanted (3,)"),
    "uneven": ("a", {"tau": np.linspace(1, 2, 144).reshape(4, 6, 6)}, "not the same for all"),
    "shape": ("a", {"r": np.ones((4, 6, 5))}, "r is (4, 6, 5), its input (4, 6, 6)"),
    "tau": ("a", {"tau": np.zeros((4, 6, 6))}, "tau is 0, wanted above 0"),
    "fast": ("a", {"tau": np.full((4, 6, 6), 5e-5)}, "tau 5e-05 is below dt 0.0001"),
    "axes": ("flat", {"start_dim": 1}, "leaves axes of (4, 6, 6) apart; wanted start_dim 0"),
    "half axis": ("flat", {"start_dim": 0.5}, "start_dim is 0.5, wanted one whole number"),
    "bits": ("a", {"metadata": {"state_bits": 3}}, "metadata tells 3 state bits"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_values(path, case):
    name, fields, message = case
    write(path, maker(), **{name: fields})
    refuse(path, f"{name} (", message)


def test_pools(path):
    def build(add):
        make = Maker((1, 6, 8)).conv("c", 2, binary=False).lif("a")
        add(make)
        write(path, make.flatten().affine("head", 2))

    avg, total = nir.AvgPool2d, nir.SumPool2d
    build(lambda m: m.pool("p", avg, 3, 2))
    refuse(path, "p (AvgPool2d): its window is (3, 3), its stride (2, 2); wanted squares")
    build(lambda m: m.pool("p", avg, (2, 4)))
    refuse(path, "p (AvgPool2d): its window is (2, 4)")
    build(lambda m: m.pool("p", avg, 2, 2, 1))
    refuse(path, "p (AvgPool2d): pads by (1, 1), wanted 0")
    build(lambda m: m.pool("p", avg, 9, 9))
    refuse(path, "p (AvgPool2d): its window (9, 9) exceeds (2, 6, 8)")
    build(lambda m: m.pool("p", avg, (6, 8)).conv("d", 2, k=1, padding=0).lif("b"))
    refuse(path, "d (Conv2d): p averages 6x8 pixels for other than the last linear layer")
    build(lambda m: m.pool("p", total, 2).lif("b").pool("q", avg, 2))
    sw.load(path, **TOLD)  # one factor for all goes into the threshold

    def threshold(m, value):
        return m.add("t", nir.Threshold(threshold=np.full(m.shape, value)), m.shape)

    build(lambda m: threshold(m.pool("p", total, 2), 1.5))
    refuse(path, "p (SumPool2d): with t (Threshold) after it counts more than 1.5 in a window")
    build(lambda m: threshold(m.pool("p", total, 2, 2, 2), 0.5))
    refuse(path, "p (SumPool2d): pads a window of 2 by 2, wanted half at most")
    build(lambda m: threshold(m, 0.5))
    refuse(path, "t (Threshold): is read only after a SumPool2d of spikes")
    flat = avg(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.zeros(2, int))
    build(lambda m: m.flatten("early").add("p", flat, (96,)))
    refuse(path, "p (AvgPool2d): reads (96,), wanted (channels, height, width)")


def test_scales_that_fit_nowhere(path):
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a")
    make.scale("s", np.linspace(1, 2, 32).reshape(2, 4, 4)).conv("d", 2).lif("b")
    write(path, make.flatten().affine("head", 2))
    refuse(path, "d (Conv2d): reads pixels of different scale")
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a").scale("s", 0.5)
    make.conv("d", 2, source="a", shape=make.shape).lif("b", "d", "s")
    write(path, make.flatten().affine("head", 2))
    refuse(path, "b (LIF): reads a sum of scaled tensors")
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a").scale("s", -1.0).lif("b")
    write(path, make.flatten().affine("head", 2))
    refuse(path, "b (LIF): reads a sum or spikes times factors that differ or are not above 0")
    make = maker()
    make.add("s", nir.Scale(scale=np.ones(7)), make.shape)
    write(path, make)
    refuse(path, "s (Scale): scale is (7,), its input (3, 1, 1)")


def test_shapes_of_sums_and_of_what_is_not_flat(path):
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a").conv("d", 3).lif("b", "d", "a")
    write(path, make.flatten().affine("head", 2))
    refuse(path, "b (LIF): reads a sum of (2, 4, 4) and (3, 4, 4)")
    make = Maker((1, 4, 4)).conv("c", 2, binary=False).lif("a")
    make.add("head", nir.Linear(weight=np.ones((2, 32))), (2,))
    write(path, make)
    refuse(path, "head (Linear): reads (32,) and gets (2, 4, 4); put a Flatten before it")


def test_what_the_file_cannot_tell_is_asked_for_all_at_once(path):
    write(path, maker())
    none = dict.fromkeys(TOLD)
    refuse(
        path,
        "neither the file nor a JSON file",
        "steps= (time steps T",
        "dt= (length of a step",
        "the file's tau is 0.0002, and membranes halve at dt = tau / 2",
        "mean= (",
        "std= (",
        **none,
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"heads": 2}, "a NIR graph has no heads"),
        ({"strides": (1, 2)}, "a NIR graph has no strides"),
        ({"dt": 0.0}, "dt must be above 0, not 0"),
        ({"dt": "fast"}, "dt must be a finite number"),
        ({"steps": 99}, "steps is 99, wanted 1 to 16"),
        ({"std": 0.0}, "std must be above 0"),
        ({"mean": (0.1, 0.2, 0.3)}, "mean has 3 values"),
        ({"image_size": 28}, "its Input is 6x6, image_size says (28, 28)"),
        ({"membrane_bits": 5}, "membrane_bits must be 2, 4 or 8"),
    ],
)
def test_wrong_options(path, options, match):
    write(path, maker())
    refuse(path, match, **options)


def test_dt_is_for_nir_graphs_only(tmp_path):
    from tests.fixtures import FIXTURES

    with pytest.raises(SpikeloomError, match="a Q-SNN has no dt; leave it out"):
        sw.load(FIXTURES / "q8.weights.npz", dt=1e-4)


def test_packages_that_are_missing(path, monkeypatch):
    write(path, maker())
    net = sw.load(path, **TOLD)
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
