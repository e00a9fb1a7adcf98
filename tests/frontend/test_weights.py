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


INF = float("inf")
KINDS = ["?", "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8", "<c8"]


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_files_hold_every_type(kind, tmp_path):
    held = {
        "b": (np.arange(6) - 2).astype(kind).reshape(2, 3),
        "a": np.ones((), kind),
        "none": np.zeros((0, 4), kind),
    }
    path = tmp_path / "a.safetensors"
    path.write_bytes(weights.seal(held))
    got = weights.read(path)
    assert got.keys() == held.keys()
    for name, want in held.items():
        assert got[name].dtype == want.dtype
        np.testing.assert_array_equal(got[name], want)
    assert weights.seal(dict(reversed(held.items()))) == path.read_bytes()


def packed(header, body, length=None):
    """A file of a header as it is given."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def entry(start, end, kind="U8", shape=None):
    return {
        "dtype": kind,
        "shape": [end - start] if shape is None else shape,
        "data_offsets": [start, end],
    }


FAULTS = {
    "7 bytes": b"1234567",
    "a header of 9 bytes in a file of 10": packed({}, b"", 9),
    "its header is no object": packed([], b""),
    "tensor 'a' has the unknown type 'F4'": packed({"a": entry(0, 1, "F4")}, b"1"),
    "tensor 'a' has no shape": packed({"a": entry(0, 1, shape=1)}, b"1"),
    "tensor 'a' has a side of -1": packed({"a": entry(0, 1, shape=[-1])}, b"1"),
    "tensor 'a' has a side of True": packed({"a": entry(0, 1, shape=[True])}, b"1"),
    "tensor 'a' has a side of 2": packed({"a": entry(0, 1, shape=[2])}, b"1"),
    "tensor 'a' does not lie where its shape says": packed({"a": entry(0, 2, "U16", [2])}, b"1234"),
    "tensor 'b' does not lie where": packed({"a": entry(0, 1), "b": entry(2, 3)}, b"123"),
    "tensor 'b' does not lie": packed({"a": entry(0, 2), "b": entry(1, 3)}, b"123"),
    "tensor 'b' is cut off": packed({"a": entry(0, 1), "b": entry(1, 3)}, b"12"),
    "1 bytes after the last tensor": packed({"a": entry(0, 1)}, b"12"),
    "its digest does not agree with its contents": packed(
        {"__metadata__": {weights.DIGEST: "0"}, "a": entry(0, 1)}, b"1"
    ),
}


@pytest.mark.parametrize("words", FAULTS)
def test_files_that_are_not_whole(words, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(FAULTS[words])
    with pytest.raises(SpikeloomError) as error:
        weights.read(path)
    assert str(error.value).startswith(f"{path}: not readable as safetensors ({words}")


def test_tensors_may_lie_in_any_order(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(packed({"a": entry(1, 3), "b": entry(0, 1), "c": entry(3, 3)}, b"\1\2\3"))
    assert {n: t.tolist() for n, t in weights.read(path).items()} == {
        "b": [1],
        "a": [2, 3],
        "c": [],
    }


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(SpikeloomError, match=r"cannot be read \(Is a directory\); check path"):
        weights.read(tmp_path)


@pytest.mark.parametrize(
    ("kind", "codes", "want"),
    [
        (
            "F8_E4M3",
            [0x00, 0x80, 0x01, 0x38, 0xB8, 0x7E, 0x08],
            [0, -0.0, 2**-9, 1, -1, 448, 2**-6],
        ),
        (
            "F8_E5M2",
            [0x00, 0x01, 0x3C, 0xBC, 0x7B, 0x7C, 0xFC],
            [0, 2**-16, 1, -1, 57344, INF, -INF],
        ),
    ],
)
def test_floats_of_eight_bits(kind, codes, want):
    got = weights.FLOAT8[kind][codes]
    assert got.tolist() == want
    assert np.isnan(weights.FLOAT8[kind][[0x7F, 0xFF]]).all()
