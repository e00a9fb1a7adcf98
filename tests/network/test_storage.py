"""Files of integer networks: what comes from a stranger is a network or one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest

from hw.common import npz
from hw.common.errors import SpikeloomError
from sw.api import IntegerNetwork
from sw.network import storage
from sw.testing import random_images, random_network, random_residual_network
from tests.networks import SMALL

CASES = Path(__file__).parents[1] / "data" / "cases"
WIDER = SMALL | {"width": 12, "steps": 3, "classes": 4}
STREAM = {
    "height": 11,
    "width": 14,
    "channels": 1,
    "steps": 1,
    "classes": 4,
    "widths": (8, 8, 24),
    "blocks": (1, 2, 1),
}


@pytest.fixture(scope="module")
def network():
    return random_residual_network(
        1, height=8, width=8, channels=1, widths=(8, 8), steps=2, classes=3
    )


@pytest.fixture
def edited(network, tmp_path):
    """A function that saves the network with an edited description and a fresh digest."""

    def save(edit):
        path = tmp_path / "net.npz"
        network.save(path)
        arrays = npz.read(path)
        tree = json.loads(arrays["json"].tobytes())
        edit(tree)
        arrays["json"] = np.frombuffer(json.dumps(tree).encode(), np.uint8)
        npz.write(path, arrays)
        return path

    return save


def test_same_bytes_and_nothing_beside(network, tmp_path):
    network.save(tmp_path / "a.npz")
    IntegerNetwork.load(tmp_path / "a.npz").save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("steps", "2", "network.steps is '2', wanted int"),
        ("steps", True, "network.steps is True, wanted int"),
        ("steps", 1 << 70, "network.steps is an integer of more than 64 bits"),
        ("name", None, "network.name is None, wanted str"),
        ("layers", 3, "network.layers is 3, wanted"),
        ("layers", {"tuple": [{"type": "os"}]}, r"network.layers\[0\] is .*os.*, wanted"),
        ("extra", 1, "network has not the fields of a IntegerNetwork"),
    ],
)
def test_wrongly_typed_field_is_named(field, value, words, edited):
    path = edited(lambda tree: tree["network"]["fields"].__setitem__(field, value))
    with pytest.raises(SpikeloomError, match=words):
        storage.load(path)


def test_other_formats_are_refused(edited):
    with pytest.raises(SpikeloomError, match="format 'x', wanted 'spikeloom integer network 2'"):
        storage.load(edited(lambda tree: tree.__setitem__("format", "x")))


def test_digest_is_checked(network, tmp_path):
    path = tmp_path / "net.npz"
    network.save(path)
    np.savez(path, **npz.read(path))  # pyright: ignore[reportArgumentType]
    with pytest.raises(SpikeloomError, match="carries no digest"):
        storage.load(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("integer_network_flipped", "CRC"), ("readme_member", "README.txt' is no array")],
)
def test_cases(name, words):
    with pytest.raises(SpikeloomError, match=words) as error:
        storage.load(CASES / f"{name}.npz")
    assert "\n" not in str(error.value)


def test_a_centre_that_no_instruction_holds_is_refused(tmp_path):
    """From a mean of 0..255: never a program, which would compute something else."""
    net = random_network(1, **SMALL)
    net.save(tmp_path / "net.npz")
    arrays = npz.read(tmp_path / "net.npz")
    tree = json.loads(arrays["json"].tobytes())
    first = tree["network"]["fields"]["layers"]["tuple"][0]["fields"]
    first["centre"] = {"tuple": [41_000]}
    arrays["json"] = np.frombuffer(json.dumps(tree, sort_keys=True).encode(), np.uint8)
    npz.write(tmp_path / "bad.npz", arrays)
    with pytest.raises(SpikeloomError, match="centre is 41000 to 41000, wanted -32768 to 32767"):
        type(net).load(tmp_path / "bad.npz")


def test_loading_a_foreign_file_says_so(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"no archive")
    with pytest.raises(SpikeloomError, match="not an integer network"):
        storage.load(tmp_path / "x.npz")


def test_saved_network_gives_the_same(tmp_path):
    network = random_network(7, **WIDER)
    network.save(tmp_path / "net.npz")
    again = IntegerNetwork.load(tmp_path / "net.npz")
    images = random_images(network, 3)
    np.testing.assert_array_equal(network.run(images).logits, again.run(images).logits)
    assert again.meta == network.meta


def test_saved_stream_gives_the_same(tmp_path):
    network = random_residual_network(7, **STREAM, stream=True)
    network.save(tmp_path / "net.npz")
    again = IntegerNetwork.load(tmp_path / "net.npz")
    images = random_images(network, 3)
    assert again.stream
    np.testing.assert_array_equal(network.run(images).logits, again.run(images).logits)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("bias",), {"array": "gone"}, r"layers\[0\]\.bias is .*gone"),
        (("centre",), {"tuple": 5}, r"layers\[0\]\.centre is "),
        (("centre",), {"tuple": [1.0]}, r"layers\[0\]\.centre\[0\] is 1\.0, wanted int"),
        (("neuron", "type"), "Affine", r"layers\[0\]\.neuron is .*wanted Neuron"),
        (("neuron", "fields"), {"name": "s"}, "neuron has not the fields of a Neuron"),
        (("neuron", "fields", "state"), {"type": "Neuron"}, r"neuron\.state is .*Neuron"),
    ],
    ids=["array", "no list", "item", "type", "field", "other part"],
)
def test_parts_of_a_layer_are_named(place, value, words, edited):
    def edit(tree):
        part = tree["network"]["fields"]["layers"]["tuple"][0]["fields"]
        for name in place[:-1]:
            part = part[name]
        part[place[-1]] = value

    with pytest.raises(SpikeloomError, match=words):
        storage.load(edited(edit))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", 1 << 53, True])
def test_a_scale_is_a_finite_number(value, edited):
    def edit(tree):
        tree["network"]["fields"]["layers"]["tuple"][-1]["fields"]["scale"] = value

    with pytest.raises(SpikeloomError, match=r"layers\[\d+\]\.scale is .*, wanted float"):
        storage.load(edited(edit))


def test_a_whole_scale_is_a_float(edited):
    def edit(tree):
        tree["network"]["fields"]["layers"]["tuple"][-1]["fields"]["scale"] = 2

    scale = storage.load(edited(edit)).head.scale
    assert (type(scale), scale) == (float, 2.0)


@pytest.mark.parametrize("kind", [np.int32, np.float64, np.uint8])
def test_arrays_of_other_types_are_named(kind, network, tmp_path):
    network.save(tmp_path / "net.npz")
    arrays = npz.read(tmp_path / "net.npz")
    arrays["n.layers.0.bias"] = arrays["n.layers.0.bias"].astype(kind)
    npz.write(tmp_path / "net.npz", arrays)
    with pytest.raises(SpikeloomError, match=f"bias is an array of {np.dtype(kind)}, wanted int64"):
        storage.load(tmp_path / "net.npz")


def test_files_without_a_digest_of_the_first_format_are_read(network, tmp_path):
    network.save(tmp_path / "net.npz")
    arrays = npz.read(tmp_path / "net.npz")
    tree = json.loads(arrays["json"].tobytes())
    tree["format"] = storage.UNSEALED
    arrays["json"] = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    np.savez(tmp_path / "old.npz", **arrays)
    storage.load(tmp_path / "old.npz")
    IntegerNetwork.load(tmp_path / "old.npz").save(tmp_path / "new.npz")
    assert (tmp_path / "new.npz").read_bytes() == (tmp_path / "net.npz").read_bytes()


def test_no_file_is_said(tmp_path):
    with pytest.raises(SpikeloomError, match=r"absent\.npz: no such file; save an integer"):
        storage.load(tmp_path / "absent.npz")
