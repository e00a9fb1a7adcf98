"""Files of integer networks: what comes from a stranger is a network or one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest

from hw.common import npz
from hw.common.errors import SpikeloomError
from sw.api import IntegerNetwork
from sw.network import storage
from sw.testing import random_network, random_residual_network
from tests.networks import SMALL

CASES = Path(__file__).parents[1] / "data" / "cases"


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
