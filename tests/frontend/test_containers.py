"""What trainers wrap weights in: wrappers, prefixes, sets beside each other, and extras."""

import argparse
import json

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw import convert
from sw.frontend.files import read_weights
from tests.fixtures import CASES
from tests.frontend.checkpoints import NORM, refuse, write
from tests.frontend.states import make_state

torch = pytest.importorskip("torch")
from tests.frontend.cases import SIDE, frames_logits, save, tensors  # noqa: E402


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pth.tar"])
@pytest.mark.parametrize("wrapper", ["state_dict", "model", "net", "model_state_dict", None])
def test_wrappers_prefixes_and_trainer_extras(tmp_path, wrapper, suffix):
    state = make_state()
    tensors = {f"module._orig_mod.{k}": torch.tensor(v) for k, v in state.items()}
    extras = {
        "epoch": 3,
        "best_acc": np.float64(0.9),
        "args": argparse.Namespace(T=2, arch="bestformer"),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
    }
    torch.save({wrapper: tensors, **extras} if wrapper else tensors, tmp_path / f"net{suffix}")
    net = sw.load(tmp_path / f"net{suffix}", **NORM)
    assert (net.name, net.steps, net.classes) == ("net", 3, 5)
    convs = [n for n in net.nodes if hasattr(n, "padding") and hasattr(n, "binary")]
    for conv in convs:
        key = f"{conv.name}.weight"
        np.testing.assert_array_equal(conv.weight.ravel(), state[key].ravel(), key)


def test_nan_is_named(tmp_path):
    state = make_state()
    state["block.0.attn.q_bn.bias"][3] = np.nan
    state["head.weight"][0, 0] = np.inf
    message = refuse(write(tmp_path, state), "NaN or infinity")
    assert "block.0.attn.q_bn.bias" in message
    assert "head.weight" in message


def test_complex_tensors_are_refused(tmp_path):
    state = make_state()
    state["head.bias"] = state["head.bias"].astype(complex)
    refuse(write(tmp_path, state), "not real numbers: head.bias")


def test_prefixes_change_nothing():
    want = frames_logits(sw.load(CASES / "json_bom.npz"))
    for name in (
        "lightning.pth",
        "compile_inner.pth",
        "thop.pth",
        "spikingjelly_buffers.pth",
        "numpy_curve.pth",
    ):
        got = sw.load(CASES / name)
        state, plain = (read_weights(CASES / n).tensors for n in (name, "json_bom.npz"))
        assert state.keys() == plain.keys()
        if all(np.array_equal(state[k], plain[k]) for k in plain):
            np.testing.assert_array_equal(frames_logits(got), want)


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("thop.pth", "total_ops"),
        ("spikingjelly_buffers.pth", "surrogate_function"),
    ],
)
def test_extras_are_listed(name, extra, tmp_path, capsys):
    net = sw.load(CASES / name)
    assert any(extra in key for key in net.meta["ignored"])
    assert convert.main([str(CASES / name), "--out", str(tmp_path / "x.safetensors")]) == 0
    assert "ignored" in capsys.readouterr().out


def test_raw_and_averaged(tmp_path, capsys):
    path = CASES / "raw_and_ema.pth"
    with pytest.warns(UserWarning, match=r"holds averaged \(ema\) and raw weights; the averaged"):
        net = sw.load(path)
    ema, raw = sw.load(path, weights="ema"), sw.load(path, weights="raw")
    assert (net.meta["weights"], ema.meta["weights"], raw.meta["weights"]) == ("ema", "ema", "raw")
    held = torch.load(path, weights_only=True)
    for got, name in ((net, "state_dict_ema"), (ema, "state_dict_ema"), (raw, "state_dict")):
        want = held[name]["head.weight"].numpy()
        np.testing.assert_array_equal(next(n for n in got.nodes if n.name == "head").weight, want)
    with pytest.raises(SpikeloomError, match="weights must be raw or ema, not 'both'"):
        sw.load(path, weights="both")
    with pytest.raises(SpikeloomError, match="holds averaged weights only"):
        sw.load(CASES / "empty_then_ema.pth", weights="raw")
    with pytest.raises(SpikeloomError, match="holds no averaged weights"):
        sw.load(CASES / "lightning.pth", weights="ema")
    out = tmp_path / "x.safetensors"
    assert convert.main([str(path), "--weights", "raw", "--out", str(out)]) == 0
    assert "weights          raw" in capsys.readouterr().out
    again = sw.load(out)
    np.testing.assert_array_equal(frames_logits(again), frames_logits(raw))


WRAPPED = {
    "ddp": lambda s: {f"module.{k}": v for k, v in s.items()},
    "ddp of compile": lambda s: {f"module._orig_mod.{k}": v for k, v in s.items()},
    "fsdp": lambda s: {
        k.replace("block.0.", "block.0._fsdp_wrapped_module."): v for k, v in s.items()
    },
    "checkpointed": lambda s: {
        k.replace(".mlp.", ".mlp._checkpoint_wrapped_module."): v for k, v in s.items()
    },
    "inner ddp": lambda s: {k.replace("attn.", "attn.module."): v for k, v in s.items()},
    "net.": lambda s: {f"net.{k}": v for k, v in s.items()},
    "backbone": lambda s: {f"backbone.{k}": v for k, v in s.items()},
    "deep": lambda s: {"model": {"state_dict": {f"a.b.{k}": v for k, v in s.items()}}},
    "lightning": lambda s: {
        "state_dict": {**{f"model.{k}": v for k, v in s.items()}, "criterion.w": torch.ones(5)},
        "epoch": 3,
        "hyper_parameters": {"lr": 0.1},
        "optimizer_states": [{"state": {}}],
        "callbacks": {"x": {"best": torch.tensor(0.5)}},
    },
    "timm": lambda s: {
        "state_dict": s,
        "arch": "bestformer",
        "epoch": 5,
        "metric": 91.5,
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}},
    },
    "swa": lambda s: {"n_averaged": torch.tensor(5), **{f"module.{k}": v for k, v in s.items()}},
    "parameters": lambda s: {
        k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in s.items()
    },
    "half": lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
    "double": lambda s: {k: v.double() if v.is_floating_point() else v for k, v in s.items()},
    "numbers beside": lambda s: {
        "model": s,
        "best": np.float64(0.5),
        "curve": np.arange(4.0),
        "seed": np.int64(3),
    },
}


@pytest.mark.parametrize("kind", WRAPPED)
@pytest.mark.parametrize("name", ["net.pth", "net.PT", "net.ckpt", "net.bin", "net.pth.tar"])
def test_wrappers_and_suffixes(kind, name, tmp_path):
    state = tensors()
    net = sw.load(save(tmp_path / name, WRAPPED[kind](state)))
    got = next(n for n in net.nodes if n.name == "head").weight
    want = state["head.weight"].half().float() if kind == "half" else state["head.weight"]
    np.testing.assert_array_equal(got, want.numpy())


@pytest.mark.parametrize("name", ["model_ema", "ema", "ema_state_dict", "ema_model", "params_ema"])
def test_averaged_weights_by_other_names(name, tmp_path):
    raw, ema = tensors(0), tensors(1)
    path = save(tmp_path / "net.pth", {"model": raw, name: ema})
    with pytest.warns(UserWarning, match="the averaged"):
        got = sw.load(path)
    np.testing.assert_array_equal(
        next(n for n in got.nodes if n.name == "head").weight, ema["head.weight"].numpy()
    )
    joined = {**raw, **{f"{name}.module.{k}": v for k, v in ema.items()}}
    with pytest.warns(UserWarning, match="the averaged"):
        got = sw.load(save(tmp_path / "both.pth", joined))
    assert got.meta["weights"] == "ema"


def test_incomplete_averages_leave_the_raw_ones(tmp_path):
    raw = tensors(0)
    few = {k: v for k, v in tensors(1).items() if "bn" not in k}
    path = save(tmp_path / "net.pth", {"state_dict": raw, "state_dict_ema": few})
    with pytest.warns(UserWarning, match="the raw ones are taken"):
        assert sw.load(path).meta["weights"] == "raw"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            {"student": tensors(0), "teacher": tensors(1)},
            "several sets of weights: student, teacher",
        ),
        (
            {
                **{f"student.{k}": v for k, v in tensors(0).items()},
                **{f"teacher.{k}": v for k, v in tensors(1).items()},
            },
            "several networks, under student",
        ),
        ({**tensors(0), "extra.conv.weight": torch.ones(3, 3)}, "extra.conv: unexpected"),
        ([tensors(0)], "holds a list"),
        ({"a": 1}, "holds no tensors"),
        (
            {k: v.to_sparse() if k == "head.weight" else v for k, v in tensors(0).items()},
            "is sparse",
        ),
        (
            {
                **tensors(0),
                "head.weight": torch.quantize_per_tensor(torch.ones(5, 16), 0.1, 0, torch.qint8),
            },
            "is quantised",
        ),
        (
            {**tensors(0), "head.bias": torch.full((5,), float("nan"))},
            "NaN or infinity in head.bias",
        ),
        (
            {
                "pos_embed": torch.ones(1, 4, 8),
                "blocks.0.attn.qkv.weight": torch.ones(24, 8),
                "blocks.0.norm1.weight": torch.ones(8),
            },
            "(?s)known family.*attention in floats.*LayerNorm",
        ),
        (
            {"conv1.weight": torch.ones(8, 3, 3, 3), "fc.weight": torch.ones(10, 8)},
            "(?s)known family.*2D convolutions",
        ),
    ],
)
def test_containers_that_are_refused(state, words, tmp_path):
    with pytest.raises(SpikeloomError, match=words) as e:
        sw.load(save(tmp_path / "net.pth", state))
    assert len(str(e.value).splitlines()) <= 20


def test_complex_in_other_containers(tmp_path):
    state = make_state(0)
    state["head.bias"] = state["head.bias"].astype(np.complex64)
    (tmp_path / "a.json").write_text(json.dumps(SIDE), "utf-8")
    np.savez(tmp_path / "a.npz", **state)
    with pytest.raises(SpikeloomError, match="not real numbers: head"):
        sw.load(tmp_path / "a.npz")
