"""Files of tensors: every type is read, and any damage to our own is found."""

import json

import numpy as np
import pytest

from hw.common.errors import SpikeloomError
from sw import convert
from sw.frontend import weights
from sw.frontend.files import read_weights
from tests.frontend.states import make_state

torch = pytest.importorskip("torch")
from tests.frontend.cases import SIDE  # noqa: E402


def test_damage_in_files_that_we_write_is_found(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(SIDE), "utf-8")
    np.savez(tmp_path / "a.npz", **make_state(0))
    convert.convert(tmp_path / "a.npz", tmp_path / "o" / "b.safetensors")
    path = tmp_path / "o" / "b.safetensors"
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for bit in rng.integers(0, 8 * len(data), 200).tolist():
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            read_weights(path)
        except SpikeloomError:
            continue
        raise AssertionError(f"bit {bit}")


TYPES = ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "float64")


@pytest.mark.parametrize("dtype", TYPES)
def test_types_of_safetensors(dtype, tmp_path):
    from safetensors.torch import save_file

    kind = getattr(torch, dtype)
    values = torch.linspace(-3, 3, 256).to(kind)
    save_file({"x": values, "y": torch.ones(2, 3).to(kind)}, tmp_path / "a.safetensors")
    got = weights.read(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(got["x"].astype(np.float32), values.float().numpy())
    assert got["y"].shape == (2, 3)
