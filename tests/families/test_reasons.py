"""Why a state dict is no network of ours, in words."""

import pytest

import sw
from hw.common.errors import SpikeloomError

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
