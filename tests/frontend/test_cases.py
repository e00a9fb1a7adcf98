"""Checkpoints as users have them; tests/data/cases/README.md says what each must do."""

import json
import shutil

import numpy as np
import pytest

import sw
from hw.common.errors import SpikeloomError
from sw import convert
from sw.frontend import weights
from sw.frontend.files import read_weights
from tests.fixtures import CASES
from tests.frontend.states import make_state

torch = pytest.importorskip("torch")
SIDE = {"mean": [0.5], "std": [0.5], "image_size": [16, 16]}


def logits(net):
    shape = (4, net.channels, 16, 16)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return net.run(images).logits


@pytest.mark.parametrize(
    "name",
    [
        "lightning.pth",
        "compile_inner.pth",
        "empty_then_ema.pth",
        "thop.pth",
        "numpy_curve.pth",
        "spikingjelly_buffers.pth",
        "bf16.safetensors",
        "json_bom.npz",
        "dead_channel.npz",
        "norm_cifar10.npz",
        "norm_imagenet.npz",
    ],
)
def test_loads(name):
    net = sw.load(CASES / name)
    assert net.lower(size=(16, 16)).classes == net.classes


def test_prefixes_change_nothing():
    want = logits(sw.load(CASES / "json_bom.npz"))
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
            np.testing.assert_array_equal(logits(got), want)


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
    np.testing.assert_array_equal(logits(again), logits(raw))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "mean_of_255.pth",
            r"mean must be 0 to 1 .*scale of 0\.\.255: divided by 255 it is 0\.485",
        ),
        ("complex.pth", "not real numbers: .*complex64"),
        ("meta.pth", "has a shape but no values"),
        ("expand_bomb.pt", "is an expanded view of"),
        ("readme_member.npz", "'README.txt' is no array"),
        ("integer_network_flipped.npz", "Bad CRC-32"),
        ("centre_integer_network.npz", "tells what the network needs; give mean="),
    ],
)
def test_refused(name, words, tmp_path, capsys):
    with pytest.raises(SpikeloomError, match=words) as e:
        sw.load(CASES / name)
    assert len(str(e.value).splitlines()) <= 20
    assert convert.main([str(CASES / name), "--out", str(tmp_path / "o" / "x.safetensors")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "Traceback" not in said
    assert not (tmp_path / "o").exists()


def test_a_name_never_becomes_a_path(tmp_path, monkeypatch):
    for suffix in ("npz", "json"):
        shutil.copy(CASES / f"name_traversal.{suffix}", tmp_path / f"net.{suffix}")
    monkeypatch.chdir(tmp_path)
    _, out = convert.convert("net.npz")
    assert out.as_posix() == "build/convert/escaped.safetensors"
    assert not list(tmp_path.parent.glob("escaped*"))


# ---- siblings ------------------------------------------------------------------------------


def save(path, state, side=SIDE):
    (path.parent / (path.name.split(".")[0] + ".json")).write_text(json.dumps(side), "utf-8")
    torch.save(state, path)
    return path


def tensors(seed=0, **options):
    return {k: torch.from_numpy(np.asarray(v)) for k, v in make_state(seed, **options).items()}


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


def test_complex_in_other_containers(tmp_path):
    state = make_state(0)
    state["head.bias"] = state["head.bias"].astype(np.complex64)
    (tmp_path / "a.json").write_text(json.dumps(SIDE), "utf-8")
    np.savez(tmp_path / "a.npz", **state)
    with pytest.raises(SpikeloomError, match="not real numbers: head"):
        sw.load(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        (127.5, 0.5, "mean must be 0 to 1"),
        (0.5, 63.75, "std must be above 0 and at most 4"),
        (0.5, 0.0, "std must be above 0"),
        (-0.1, 0.5, "mean must be 0 to 1"),
        (0.5, -0.2, "std must be above 0"),
    ],
)
def test_normalisations_out_of_range(mean, std, words, tmp_path):
    np.savez(tmp_path / "a.npz", **make_state(0))
    with pytest.raises(SpikeloomError, match=words):
        sw.load(tmp_path / "a.npz", mean=mean, std=std)


@pytest.mark.parametrize(
    "side",
    [
        b"[" * 100_000,
        b"{",
        b"\xff\xff",
        b"[1]",
        b'{"mean": "x"}',
        b'{"mean": [0.5, "y"]}',
        b'{"image_size": [1e400, 3]}',
        b'{"mean": [NaN], "std": [0.5]}',
        b'{"heads": -1}',
        b'{"mean": [0.5], "std": [0.5], "pixel_weight_bits": 99}',
        b'{"steps": 1e300}',
    ],
)
def test_side_files_that_are_wrong(side, tmp_path):
    np.savez(tmp_path / "a.npz", **make_state(0))
    (tmp_path / "a.json").write_bytes(side)
    with pytest.raises(SpikeloomError) as e:
        sw.load(tmp_path / "a.npz").lower()
    assert len(str(e.value)) < 1500


def test_side_files_of_other_outputs_are_spared(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(SIDE), "utf-8")
        np.savez(tmp_path / f"{name}.npz", **make_state(0))
    with pytest.raises(
        SpikeloomError,
        match=r"its side file b\.json is there already and belongs "
        r"to b\.npz; give another --out",
    ):
        convert.convert(tmp_path / "a.npz", tmp_path / "b.safetensors")
    with pytest.raises(SpikeloomError, match=r"belongs to a.npz"):
        convert.convert(tmp_path / "a.npz", tmp_path / "a.safetensors")
    assert json.loads((tmp_path / "b.json").read_text("utf-8")) == SIDE
    convert.convert(tmp_path / "a.npz", tmp_path / "c.safetensors")
    convert.convert(tmp_path / "a.npz", tmp_path / "c.safetensors")  # its own, again


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("--image-size", "32y", "such as 32 or 32x48"),
        ("--mean", "a,b", "0.49,0.48,0.45"),
        ("--steps", "two", "a whole number"),
        ("--alpha", "x", "a number, batch or measured"),
        ("--strides", "1;2", "such as 1,2,1,2"),
    ],
)
def test_options_name_the_form_wanted(option, text, words, capsys):
    with pytest.raises(SystemExit) as e:
        convert.main(["digits", option, text])
    assert e.value.code == 2
    assert words in capsys.readouterr().err
