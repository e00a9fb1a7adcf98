"""Torch files: damage is found, and nothing in them is executed."""

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from tests.frontend.checkpoints import refuse

torch = pytest.importorskip("torch")
from tests.frontend.cases import save, tensors  # noqa: E402


def test_truncated_torch_file(tmp_path):
    path = tmp_path / "net.pt"
    torch.save({"a": torch.ones(1000)}, path)
    data = path.read_bytes()
    for cut in (0, 5, len(data) // 2):
        path.write_bytes(data[:cut])
        refuse(path, "truncated or of another kind")


class _Surprise:
    """A pickle that would call something."""

    def __reduce__(self):
        return print, ("executed",)


def test_pickles_are_not_executed(tmp_path, capsys):
    torch.save({"state_dict": _Surprise()}, tmp_path / "net.pt")
    refuse(tmp_path / "net.pt", "not readable as a torch file of weights only")
    np.savez(tmp_path / "net.npz", a=np.array([_Surprise()], dtype=object))
    refuse(tmp_path / "net.npz", "not readable as an npz archive")
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("bit", [9, 200, 3000, 60_000, 150_000])
def test_damage_in_a_torch_file_is_found(bit, tmp_path):
    path = save(tmp_path / "net.pt", tensors())
    data = bytearray(path.read_bytes())
    data[bit // 8 + 400] ^= 1 << bit % 8
    path.write_bytes(data)
    try:
        net = sw.load(path)
    except SpikeloomError:
        return
    plain = tensors()["head.weight"].numpy()  # a bit of no meaning
    np.testing.assert_array_equal(next(n for n in net.nodes if n.name == "head").weight, plain)
