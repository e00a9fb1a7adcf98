"""Why a state dict is no network of ours, in words."""

from pathlib import Path

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw.families.reasons import CURES, layer_of, some, strange, why

torch = pytest.importorskip("torch")
from tests.frontend.cases import save, tensors  # noqa: E402


def test_reasons_are_told_layer_by_layer(tmp_path):
    state = tensors(dim=32)
    del state["block.0.attn.k_conv.weight"]
    state["head.weight"] = torch.ones(5, 7)
    with pytest.raises(SpikeloomError) as e:
        sw.load(save(tmp_path / "net.pth", state))
    text = str(e.value)
    assert "of its layers convert, these do not:" in text
    assert "block.0.attn.k_conv: missing block.0.attn.k_conv.weight, wanted (32, 32, 1)" in text
    assert "head: head.weight is (5, 7), wanted (5, 32)" in text
    state = tensors(dim=32)
    state["head.weight"] = torch.ones(5, 7)
    with pytest.raises(SpikeloomError) as e:
        sw.load(save(tmp_path / "net.pth", state))
    assert "save the whole" not in str(e.value)


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "0"), (6, "0, 1, 2, 3, 4, 5"), (7, "0, 1, 2, 3, 4, 5 and 1 more")],
)
def test_the_first_names_of_a_list(count, text):
    assert some([str(n) for n in range(count)]) == text
    assert some(["x" * 100]) == "x" * 80


@pytest.mark.parametrize(
    ("key", "layer"), [("a.b.weight", "a.b"), ("weight", "weight"), ("x" * 99 + ".w", "x" * 70)]
)
def test_layers_of_tensors(key, layer):
    assert layer_of(key) == layer


def test_faults_by_layer_in_words():
    state = {"a.weight": np.ones((2, 3)), "b.weight": np.ones(4), "c.weight": np.ones(5)}
    want = {"a.weight": (2, 3), "b.weight": (3,), "b.bias": (3,), "d.weight": (7,)}
    text = why(Path("x.pt"), "Net", want, state, {"b.weight": (3,)}, ["a fault", "y" * 400])
    assert text.splitlines() == [
        "x.pt: not a complete Net state dict: 1 of its layers convert, these do not:",
        "  b: missing b.bias, wanted (3,) and 1 more of this layer",
        "  d: missing d.weight, wanted (7,)",
        "  c: unexpected c.weight (5,): the family has no such layer",
        "  a fault",
        "  " + "y" * 300,
        f"{CURES['missing']}; {CURES['unexpected']}; {CURES['shape']}",
    ]


def test_every_kind_of_fault_is_among_the_first_and_the_rest_are_counted():
    want = {f"m{n:02}.weight": (1,) for n in range(20)} | {"s.weight": (2,)}
    state = {f"u{n}.weight": np.ones(1) for n in range(8)} | {"s.weight": np.ones(3)}
    lines = why(Path("x.pt"), "Net", want, state, {"s.weight": (2,)}).splitlines()
    layers = [line.split(":")[0].strip() for line in lines[1:-2]]
    first = [*(f"m{n:02}" for n in range(5)), *(f"u{n}" for n in range(5)), "s"]
    assert layers == [*first, "m05", "m06", "m07"]
    assert lines[-2] == "  and 15 more layers"
    assert lines[0].endswith(": 0 of its layers convert, these do not:")


def test_faults_of_no_tensor_have_a_cure_too():
    state = {"a.weight": np.ones(1)}
    text = why(Path("x.pt"), "Net", {"a.weight": (1,)}, state, {}, ["9 steps"])
    assert text.splitlines()[1:] == ["  9 steps", CURES["shape"]]


@pytest.mark.parametrize(
    ("key", "shape", "kind"),
    [
        ("bn.running_var", (3,), "normalisation (converts behind"),
        ("pos_embed", (1, 4, 8), "position tables and tokens (no hardware)"),
        ("blocks.0.norm1.weight", (8,), "layer normalisation or scales"),
        ("LN_1.bias", (8,), "layer normalisation or scales"),
        ("attn.qkv.weight", (24, 8), "attention in floats"),
        ("conv.weight", (8, 3, 3, 3), "2D convolutions"),
        ("conv.weight", (8, 3, 1), "1D convolutions"),
        ("fc.weight", (10, 8), "linear layers"),
        ("fc.bias", (10,), "biases and scales"),
        ("odd", (1, 1, 1, 1, 1), "tensors of 5 axes (no hardware)"),
        ("none", (), "tensors of 0 axes (no hardware)"),
    ],
)
def test_kinds_of_layers_of_strangers(key, shape, kind):
    lines = strange(Path("x.pt"), {key: np.ones(shape)}, {"Net": "a, b"}).splitlines()
    assert lines[0] == "x.pt: not a network of a known family; its 1 tensors are"
    assert lines[1].startswith(f"  1 of {kind}")
    assert lines[1].endswith(f": {key}")
    assert lines[2].startswith("a Net (a, b) under the authors' names converts; others as a NIR")


def test_strangers_of_a_kind_stand_together():
    state = {f"fc{n}.weight": np.ones((2, 2)) for n in range(3)}
    line = strange(Path("x.pt"), state, {}).splitlines()[1]
    assert line.startswith("  3 of linear layers")
    assert line.endswith(": fc0.weight, fc1.weight, ...")
