"""NIR graphs as a whole: settings, options, and what lowers."""

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.agree import Reference

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")
pytest.importorskip("torch")
from tests.frontend.nir.reading import TOLD, named  # noqa: E402
from tests.frontend.nir.reference import Maker  # noqa: E402
from tests.frontend.nir.refusals import GIVEN, maker, refuse, write  # noqa: E402


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


def test_what_the_file_cannot_tell_is_asked_for_all_at_once(path):
    write(path, maker())
    none = dict.fromkeys(GIVEN)
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


def test_quantised_states_by_option(tmp_path):
    make = Maker((1, 3, 3), 1).conv("c", 3, binary=False).lif("a", r=2.0)
    make.flatten().affine("head", 2).write(tmp_path / "net.nir")
    net = sw.load(tmp_path / "net.nir", membrane_bits=4, alpha=0.9, **TOLD)
    assert (named(net, "a").state_bits, named(net, "a").alpha) == (4, 0.9)


def test_json_file_beside_the_graph(tmp_path):
    make = Maker((1, 3, 3), 1).conv("c", 3, binary=False).lif("a")
    make.flatten().affine("head", 2).write(tmp_path / "net.nir")
    told = '{"steps": 3, "dt": 0.0001, "mean": 0.5, "std": 0.25, "name": "n"}'
    (tmp_path / "net.json").write_text(told, encoding="utf-8")
    net = sw.load(tmp_path / "net.nir")
    assert (net.name, net.steps, net.mean, net.std) == ("n", 3, (0.5,), (0.25,))
    assert sw.load(tmp_path / "net.nir", dt=5e-5).nodes[2].tau == 4.0


def test_metadata_of_others_is_not_read(tmp_path):
    make = Maker((1, 3, 3), 1).conv("c", 3, binary=False).lif("a").flatten().affine("head", 2)
    graph = make.graph()
    graph.metadata = {"steps": 3, "mean": "?", "std": {"deep": 1}}
    nir.write(tmp_path / "net.nir", graph)
    assert sw.load(tmp_path / "net.nir", **TOLD).steps == 4


def test_what_hardware_cannot_run_is_refused_by_lowering(tmp_path):
    make = Maker((1, 4, 4)).conv("first", 4, binary=False).lif("a", tau=3e-4)
    make.flatten().affine("head", 3).write(tmp_path / "net.nir")
    with pytest.raises(SpikeloomError, match="a cannot be lowered"):
        sw.load(tmp_path / "net.nir", **TOLD).lower()
    make = Maker((1, 4, 4)).conv("first", 4).lif("a").conv("second", 4, binary=False).lif("b")
    make.flatten().affine("head", 3).write(tmp_path / "net.nir")
    with pytest.warns(UserWarning, match="second: output channel"):
        net = sw.load(tmp_path / "net.nir", **TOLD)
    with pytest.raises(SpikeloomError, match="second cannot be lowered"):
        net.lower()


def test_a_net_without_quantised_states_lowers(tmp_path):
    make = Maker((1, 6, 6)).conv("first", 8, binary=False).lif("a").conv("second", 8).lif("b")
    make.conv("third", 8).lif("c").pool("mean", nir.AvgPool2d, 6).flatten().affine("head", 3)
    make.write(tmp_path / "net.nir")
    net = sw.load(tmp_path / "net.nir", **TOLD)
    images = np.random.default_rng(0).integers(0, 256, (16, 1, 6, 6), dtype=np.uint8)
    local = Reference(net, images, np.zeros(16, int)).compare(net.lower()).local_error
    assert list(local) == ["a", "b", "c"]
    assert max(local.values()) < 0.003
