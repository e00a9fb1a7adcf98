"""Programs are told from other files, and from programs of other networks."""

import dataclasses
import re
import zipfile

import numpy as np
import pytest

from hw.arch import Config, SpikeloomError
from sw.compiler import compile_network
from sw.compiler.origin import check_origin, doubt, is_compiled_from, is_program
from tests.compiler.nets import STATE, conv, mean, network, pixel


def net(**options):
    return network(pixel(), conv("a", "p"), mean("a.s"), **options)


@pytest.fixture(scope="module")
def program():
    return compile_network(net())


def test_is_program(program, tmp_path):
    program.save(tmp_path / "p.npz")
    net().save(tmp_path / "n.npz")
    (tmp_path / "text").write_text("PK", encoding="utf-8")
    np.savez(tmp_path / "half.npz", words=np.zeros(1))
    np.savez(tmp_path / "other.npz", words=np.zeros(1), columns=np.zeros(1), more=np.zeros(1))
    found = {path.name: is_program(str(path)) for path in tmp_path.iterdir()}
    assert found == {
        "p.npz": True,
        "n.npz": False,
        "text": False,
        "half.npz": False,
        "other.npz": True,  # by names of members alone; Program.load looks closer
    }
    assert not is_program(str(tmp_path))
    assert not is_program(str(tmp_path / "none.npz"))
    with zipfile.ZipFile(tmp_path / "e.npz", "w"):
        pass
    assert not is_program(str(tmp_path / "e.npz"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"side": (8, 9)}, "input [1, 8, 9] (program [1, 8, 8])"),
        ({"steps": 3}, "steps 3 (program 2)"),
        ({"per_step_input": True}, "input [2, 1, 8, 8] (program [1, 8, 8])"),
    ],
)
def test_other_shapes(program, options, told):
    check_origin(program, net())
    wanted = (
        f"network 'hand' is not the one that program 'hand' was compiled from: {told}; give that "
        "one, lowered in the same way"
    )
    with pytest.raises(SpikeloomError, match=f"^{re.escape(wanted)}$"):
        check_origin(program, net(**options))


def test_streams_are_told_apart():
    layers = pixel(state=STATE), conv("a", "p", state=STATE), mean("a.s")
    once, stream = (network(*layers, steps=1, stream=flag) for flag in (False, True))
    with pytest.raises(SpikeloomError, match=r"from: stream True \(program False\); give"):
        check_origin(compile_network(once), stream)


def test_other_classes(program):
    other = dataclasses.replace(program, classes=3)
    with pytest.raises(SpikeloomError, match=r"from: classes 2 \(program 3\); give"):
        check_origin(other, net())


def test_is_compiled_from(program):
    """What a core is loaded with counts: not the name, but every number of every layer."""
    network = net()
    assert is_compiled_from(program, network.replace(name="other"))
    head = dataclasses.replace(network.head, bias=network.head.bias + 1)
    other = network.replace(layers=(*network.layers[:-1], head))
    assert not is_compiled_from(program, other)
    assert doubt(program, network) == ""
    assert doubt(program, other) == (
        "; 'hand' compiles to another program than this one: is it the network that the program "
        "was made from?"
    )


def test_a_network_that_does_not_fit_is_not_the_origin(program):
    small = dataclasses.replace(program, config=Config(prog_depth=64))
    assert not is_compiled_from(small, net())
    assert doubt(small, net()).startswith("; 'hand' compiles to another program")
