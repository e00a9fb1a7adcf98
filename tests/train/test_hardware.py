"""With the integer network's rounding every spike of a torch model is the golden model's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import sw
from hw.common.errors import SpikeloomError
from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import Bestformer
from sw.families.qsnn.config import QsnnConfig
from sw.families.qsnn.model import Qsnn
from sw.families.qsnn.neurons import QuantLIF
from sw.golden import run
from sw.lower.search import FRAC_BITS, MIN_FRAC_BITS
from sw.nn import rounding
from sw.nn.neurons import LIF
from sw.nn.norm import Norm1d, Norm2d
from sw.nn.rounding import saturate
from sw.train.checkpoint import save_checkpoint
from sw.train.hardware import Hardware, float_graph

SMALL = dict(height=8, width=8, embed_dim=16, depth=2, heads=2, mlp_ratio=2, steps=3)
BESTFORMERS = {
    "qk": {},
    "kv": {"attention": "kv"},
    "xnor": {"similarity": "xnor", "theta": 3.0},
    "imagenet": {"variant": "imagenet", "height": 16, "width": 32},
    "colour": {"channels": 3, "mean": (0.5, 0.4, 0.3), "std": (0.25, 0.3, 0.2), "height": 12},
    "one step": {"steps": 1, "heads": 4},
}
SIZES = dict(height=11, width=9, steps=3)
QSNNS = {
    "projections": {"widths": (4, 8), "blocks": (1, 2)},
    "two bits": {"widths": (4, 8), "blocks": (2, 1), "membrane_bits": 2},
    "stem 7": {"widths": (8, 8), "blocks": (1, 1), "stem": 7, "height": 24, "membrane_bits": 4},
    "pools": {"net": "vgg", "widths": (4, 8, 8), "halve": (1, 2), "membrane_bits": 4},
    "strides": {
        "net": "vgg",
        "widths": (4, 8, 8),
        "halve": (1,),
        "downsampling": "stride",
        "membrane_bits": 2,
        "channels": 3,
    },
    "alpha": {"net": "vgg", "widths": (4, 8), "alpha": 0.9, "membrane_bits": 8},
    "one tap": {"net": "vgg", "widths": (4, 8), "kernel": 1, "membrane_bits": 4},
}


def lively(kind, family, seed=0):
    """A network whose every neuron has something to do, and images."""
    torch.manual_seed(seed)
    if family == "bestformer":
        model = Bestformer(BestformerConfig(**SMALL | BESTFORMERS[kind]))
    else:
        model = Qsnn(QsnnConfig(**SIZES | QSNNS[kind]))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, Norm1d | Norm2d):
                # q, k and v must meet in the map, and the counts reach its threshold
                module.bias.uniform_(*((0.5, 3.0) if isinstance(module, Norm1d) else (-0.5, 1.5)))
                module.weight.uniform_(-1.5, 2.0)
            if isinstance(module, torch.nn.Conv2d) and module.bias is not None:
                module.bias.uniform_(-3, 3)
            if hasattr(module, "lambda_attn"):
                module.lambda_attn.uniform_(-1.0, 9.0)[0, 0, 0] = 9.0  # a head that fires
        c = model.config
        images = torch.randint(0, 256, (6, c.channels, c.height, c.width), dtype=torch.uint8)
        model.train()
        for _ in range(30):
            model.mean_logits(model.normalise(images))
    return model.eval(), images.numpy()


CASES = [*(("bestformer", k) for k in BESTFORMERS), *(("qsnn", k) for k in QSNNS)]
cases = pytest.mark.parametrize(("family", "kind"), CASES, ids=[" ".join(c) for c in CASES])


def spikes(model, images):
    trace = {}
    with torch.no_grad():
        logits = model.mean_logits(model.normalise(torch.from_numpy(images)), trace)
    return logits, {k: v.detach().numpy().astype(np.uint8) for k, v in trace.items()}


def check(model, network, images):
    """Every spike of every neuron; returns the share of ones of each."""
    _, got = spikes(model, images)
    want = run(network, images, trace=True).trace
    assert got
    for name, tensor in got.items():
        expected = want[name].reshape(tensor.shape)
        assert np.array_equal(tensor, expected), f"{name}: {(tensor != expected).mean():.2%}"
    return {name: tensor.mean() for name, tensor in got.items()}


def fresh(model, count=8, *, frames=False):
    """Images that calibration has not seen, a black and a white one among them."""
    c = model.config
    shape = (count, *([c.steps] if frames else []), c.channels, c.height, c.width)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    images[0], images[1] = 0, 255
    return images


def on_grid(model, images):
    """Number of neurons that read whole units; all that have units must."""
    seen = {}

    def note(name):
        def hook(module, inputs):
            if module.rounding is not None:
                units = inputs[0].detach().double() * module.rounding.one
                off = (units - units.round()).abs().max()  # of 18-bit units, in float32
                seen[name] = bool(off < 0.02)

        return hook

    hooks = [
        module.register_forward_pre_hook(note(name))
        for name, module in model.named_modules()
        if isinstance(module, LIF | QuantLIF)
    ]
    spikes(model, images)
    for hook in hooks:
        hook.remove()
    assert all(seen.values()), seen
    return len(seen)


@cases
def test_every_spike_is_the_golden_models(family, kind):
    model, images = lively(kind, family)
    before, _ = spikes(model, images)
    hardware = Hardware(model, images)
    network = hardware.refresh()
    rates = check(model, network, images)
    assert all(0.01 < rate < 0.99 for rate in rates.values()), rates
    check(model, network, fresh(model))
    during, _ = spikes(model, images)
    if family == "bestformer":
        assert not torch.equal(before, during)  # the heads read residuals, which are rounded
    assert on_grid(model, images) >= len(rates) - 1 - getattr(model.config, "depth", 0)
    hardware.remove()
    after, _ = spikes(model, images)
    assert torch.equal(before, after)


def test_every_spike_of_a_stream_is_the_golden_models(monkeypatch):
    """More steps than one call may have, and one stream for each sequence."""
    fields = {"net": "vgg", "widths": (8, 8), "kernel": 1, "membrane_bits": 2, "channels": 6}
    sizes = {"height": 1, "width": 1, "steps": 20, "stream": True}
    monkeypatch.setitem(QSNNS, "stream", fields | sizes)
    model, _ = lively("stream", "qsnn")
    images = fresh(model, 5, frames=True)
    network = Hardware(model, images).refresh()
    assert (network.stream, network.steps) == (True, 1)
    _, got = spikes(model, images)
    for n, frames in enumerate(images):
        want = run(network, frames, trace=True).trace
        for name, tensor in got.items():
            assert np.array_equal(tensor[:, n], want[name][0]), name
            assert 0.01 < tensor.mean() < 0.99


@cases
def test_coarse_units_round_the_same(family, kind):
    """At few fraction bits halves, floors and ties decide spikes."""
    for seed in range(3):
        model, images = lively(kind, family, seed)
        hardware = Hardware(model, images)
        hardware.frac_bits = MIN_FRAC_BITS
        network = hardware.refresh()
        assert network.frac_bits == MIN_FRAC_BITS
        check(model, network, images)
        check(model, network, fresh(model))


@pytest.mark.parametrize("kind", ["qk", "kv"])
def test_full_membranes_saturate_the_same(monkeypatch, kind):
    model, images = lively(kind, "bestformer")
    with torch.no_grad():
        for block in model.block:  # means of streams of either sign, beyond what fits
            block.attn.proj_bn.bias.uniform_(-7.9, 7.9).mul_(4.0)
            block.mlp.mlp2_bn.bias.uniform_(-7.9, 7.9).mul_(4.0)
        model.patch_embed.block4_bn.bias.uniform_(-30.0, 30.0)
    clipped = []

    def counted(whole):
        held = saturate(whole)
        clipped.append(bool((held != whole).any()))
        return held

    monkeypatch.setattr(rounding, "saturate", counted)
    hardware = Hardware(model, images)
    assert hardware.frac_bits < FRAC_BITS  # so that these images would fit
    hardware.frac_bits = FRAC_BITS
    network = hardware.refresh()
    check(model, network, images)
    assert any(clipped)


@pytest.mark.parametrize("kind", ["qk", "kv"])
def test_scales_that_grow_take_fraction_bits(kind):
    model, images = lively(kind, "bestformer")
    hardware = Hardware(model, images)
    first = hardware.frac_bits
    with torch.no_grad():
        model.block[0].mlp.mlp2_bn.weight.mul_(20.0)
    network = hardware.refresh()
    assert MIN_FRAC_BITS <= network.frac_bits == hardware.frac_bits < first
    check(model, network, images)


@pytest.mark.parametrize(
    "frames", ["bestformer qk", "bestformer kv", "qsnn two bits", "qsnn strides"]
)
def test_frames_of_their_own(frames):
    family, _, kind = frames.partition(" ")
    model, _ = lively(kind, family)
    images = fresh(model, frames=True)
    check(model, Hardware(model, images).refresh(), images)


@cases
def test_training_goes_on_through_the_rounding(family, kind, tmp_path):
    """Gradients arrive, and the finished checkpoint has the spikes that were trained."""
    model, images = lively(kind, family)
    hardware = Hardware(model, images)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02)
    labels = torch.arange(len(images)) % 10
    kinds = torch.nn.Conv1d | torch.nn.Conv2d
    weights = {n: m.weight for n, m in model.named_modules() if isinstance(m, kinds)}
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    for _ in range(3):
        hardware.refresh()
        logits = model.mean_logits(model.normalise(torch.from_numpy(images)))
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(logits, labels).backward()
        assert all(w.grad.isfinite().all() for w in weights.values())
        silent = [name for name, w in weights.items() if not w.grad.any()]
        assert not silent
        optimiser.step()
    assert not [name for name, weight in weights.items() if torch.equal(weight, before[name])]
    last = hardware.refresh()
    save_checkpoint(model, tmp_path / "a.safetensors")
    size = images.shape[-2:]
    loaded = sw.load(tmp_path / "a.safetensors").lower(frac_bits=last.frac_bits, size=size)
    check(model, last, images)
    check(model, loaded, images)
    check(model, loaded, fresh(model))


def test_networks_that_are_no_hardware_are_refused(tmp_path):
    for model, message in (
        (Bestformer(BestformerConfig(**SMALL, reversible=False)), "Only reversible networks"),
        (Bestformer(BestformerConfig(**SMALL, binary=False)), "Only reversible networks"),
        (Qsnn(QsnnConfig(regulated=False)), "Only networks of standardised weights"),
        (Qsnn(QsnnConfig(alpha=None)), "the batch's maximum, which no chip knows"),
    ):
        with pytest.raises(SpikeloomError, match=message):
            float_graph(model)
    for name, model in (
        ("reversible", Bestformer(BestformerConfig(**SMALL, reversible=False))),
        ("binary", Bestformer(BestformerConfig(**SMALL, binary=False))),
        ("regulated", Qsnn(QsnnConfig(regulated=False))),
    ):
        path = tmp_path / f"{name}.safetensors"
        save_checkpoint(model, path)
        with pytest.raises(SpikeloomError, match=rf"for comparison only \({name}: false.*--no-"):
            sw.load(path)


def test_a_weight_on_its_filters_mean_does_not_stop_training():
    model, images = lively("qk", "bestformer")
    hardware = Hardware(model, images)
    weight = model.block[0].attn.q_conv.weight
    with torch.no_grad():
        weight[0, 1:] = torch.linspace(-1, 1, weight.shape[1] - 1)[:, None]
        weight[0, 0] = 0
    hardware.refresh()
    with torch.no_grad():
        model.mean_logits(model.normalise(torch.from_numpy(images)))
