"""Checkpoints of networks in training: keys, compact forms, damage."""

import dataclasses
import errno
import json
import os

import pytest
import torch

from hw.common.errors import SpikeloomError
from sw.data import load_digits
from sw.families.bestformer.model import Bestformer
from sw.nn.binary import BinaryConv1d, BinaryConv2d
from sw.train.checkpoint import (
    checkpoint_tensors,
    load_checkpoint,
    save_checkpoint,
    write_atomically,
)
from sw.train.evaluate import evaluate
from sw.train.loop import train
from tests.train.small import OPTIONS, TINY, files


def test_checkpoint_has_the_authors_keys_and_says_where_it_comes_from(few_digits, tmp_path):
    out = tmp_path / "new" / "a.safetensors"
    result = train(dataclasses.replace(OPTIONS, epochs=1), out, command="python -m sw.train ...")
    model, fields = load_checkpoint(out)
    wanted = {k for k in result.model.state_dict() if not k.endswith("num_batches_tracked")}
    assert set(checkpoint_tensors(model)) == wanted
    assert all(t.dtype == torch.float32 for t in checkpoint_tensors(model).values())
    assert model.config == TINY
    assert fields["model"] == "bestformer"
    assert fields["test_accuracy"] == result.test_accuracy
    assert fields["test_images"] == 40
    assert fields["trained_on"] == "70 images of the train split"
    assert "first 30 of numpy RandomState(0)" in fields["split"]
    assert fields["validation_images"] == 30
    assert [set(h) for h in fields["history"]] == [{"epoch", "loss", "train", "validation", "lr"}]
    assert (fields["processes"], fields["device"]) == (1, "cpu")
    assert fields["seed"] == 7
    assert fields["command"] == "python -m sw.train ..."
    assert len(fields["spike_rate"]) == 12
    assert all(len(rates) == TINY.steps for rates in fields["spike_rate"].values())
    digits = load_digits(8)
    accuracy, rates = evaluate(model, digits.test_images[:40], digits.test_labels[:40])
    assert accuracy == result.test_accuracy
    assert rates == fields["spike_rate"]


def test_compact_checkpoint_gives_the_same_logits(tmp_path):
    torch.manual_seed(0)
    model = Bestformer(TINY).eval()
    with torch.no_grad():
        model.block[0].mlp.mlp1_conv.weight[0, :] = 1.0  # cannot be compact: stays real
        model.patch_embed.block1_bn.bias.fill_(1.0)
    save_checkpoint(model, tmp_path / "a.safetensors", compact=True)
    tensors = checkpoint_tensors(model, compact=True)
    binary = {
        f"{n}.weight"
        for n, m in model.named_modules()
        if isinstance(m, BinaryConv1d | BinaryConv2d)
    }
    compact = {name for name, t in tensors.items() if t.dtype == torch.int8}
    assert compact == binary - {"block.0.mlp.mlp1_conv.weight"}
    loaded, _ = load_checkpoint(tmp_path / "a.safetensors")
    x = torch.rand(4, 1, 8, 8) * 4
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(model(x), loaded(x), strict=True))


def test_damaged_checkpoints_say_what_is_wrong(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(SpikeloomError, match=r"a\.safetensors: no such file"):
        load_checkpoint(path)
    with pytest.raises(SpikeloomError, match=r"ends in '\.bin', wanted '\.safetensors'"):
        save_checkpoint(Bestformer(TINY), tmp_path / "a.bin")
    save_checkpoint(Bestformer(TINY), path)
    whole = path.read_bytes()
    fields = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

    def refuses(message, **changes):
        path.with_suffix(".json").write_text(json.dumps(fields | changes), encoding="utf-8")
        with pytest.raises(SpikeloomError, match=message):
            load_checkpoint(path)

    refuses(r"tensor block\.1\.attn\.k_bn\.bias is missing", depth=2)
    refuses("tensor block.0.attn.k_bn.bias has shape .16,., wanted .32,.", embed_dim=32)
    refuses("model is 'resnet', wanted 'bestformer' or 'qsnn'", model="resnet")
    refuses("has no place", variant="imagenet", height=16, width=16)
    del fields["heads"]
    refuses("lacks heads")
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    with pytest.raises(SpikeloomError, match=r"a.json: not readable as JSON"):
        load_checkpoint(path)
    path.with_suffix(".json").write_text("[]", encoding="utf-8")
    with pytest.raises(SpikeloomError, match="holds no JSON object"):
        load_checkpoint(path)
    path.with_suffix(".json").write_text("{}", encoding="utf-8")
    path.write_bytes(whole[:200])
    with pytest.raises(SpikeloomError, match="not readable as safetensors"):
        load_checkpoint(path)


def test_atomic_writing_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SpikeloomError, match=r"cannot be written \(No space left on device\)"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == ["file"]
