"""Random Q-SNN state dicts in the authors' layout, and models.md once more in plain torch."""

import numpy as np
import torch
import torch.nn.functional as F


class _Maker:
    def __init__(self, seed):
        self.rng, self.state = np.random.default_rng(seed), {}

    def bn(self, name, width, spread):
        rng = self.rng
        self.state[f"{name}.weight"] = rng.uniform(0.5, 1.5, width) * rng.choice([-1, 1, 1], width)
        self.state[f"{name}.bias"] = rng.uniform(-0.2, 1.0, width)
        self.state[f"{name}.running_mean"] = rng.normal(size=width) * spread * 0.3
        self.state[f"{name}.running_var"] = rng.uniform(0.5, 1.5, width) * spread**2
        self.state[f"{name}.num_batches_tracked"] = np.array(7)

    def conv_bn(self, conv, bn, out, inputs, side, *, first=False):
        self.state[f"{conv}.weight"] = self.rng.normal(size=(out, inputs, side, side))
        self.bn(bn, out, 1.5 if first else (side * side * inputs * 0.25) ** 0.5)

    def head(self, name, classes, inputs):
        self.state[f"{name}.weight"] = self.rng.normal(size=(classes, inputs))
        self.state[f"{name}.bias"] = self.rng.normal(size=classes)

    def done(self):
        kinds = {k: np.float32 if v.ndim else np.int64 for k, v in self.state.items()}
        return {k: np.asarray(v, dtype=kinds[k]) for k, v in self.state.items()}


def residual_state(seed=0, *, stem=3, widths=(4, 8), blocks=(1, 2), channels=1, classes=5, first=4):
    """Canonical names only; ``with_aliases`` adds the others."""
    make = _Maker(seed)
    make.conv_bn("conv1", "bn1.bn", first, channels, stem, first=True)
    width = first
    for stage, (out, count) in enumerate(zip(widths, blocks, strict=True), 1):
        for block in range(count):
            name = f"layer{stage}.{block}"
            make.conv_bn(f"{name}.conv1", f"{name}.bn1.bn", out, width, 3)
            make.conv_bn(f"{name}.conv2", f"{name}.bn2.bn", out, out, 3)
            if block == 0 and (stage > 1 or out != width):
                shortcut = f"{name}.downsample"
                make.conv_bn(f"{shortcut}.layer.module", f"{shortcut}.bn.bn", out, width, 1)
            width = out
    make.head("fc.ops", classes, width)
    return make.done()


def vgg_state(seed=0, *, widths=(4, 8, 8), pooled=True, pixels=4, channels=2, classes=5):
    """Pools between all convolutions, or none."""
    make = _Maker(seed)
    inputs = channels
    for n, out in enumerate(widths):
        name = f"features.{n * (2 if pooled else 1)}.fwd.module"
        make.conv_bn(f"{name}.0", f"{name}.1", out, inputs, 3, first=n == 0)
        if n:
            make.state[f"{name}.0.bias"] = make.rng.normal(size=out)
        inputs = out
    make.head("classifier.module", classes, inputs * pixels)
    return make.done()


def with_aliases(state):
    """As the authors' modules save a residual net: every tensor under all its names."""
    full = {}
    for key, value in state.items():
        full[key] = value
        stem, _, leaf = key.rpartition(".")
        parent, _, part = stem.rpartition(".")
        dot = f"{parent}." if parent else ""
        if part.startswith("conv"):
            full[f"{stem}_s.layer.module.{leaf}"] = value
        if part == "bn":
            full[f"{parent}.seqbn.module.{leaf}"] = value
            outer, _, name = parent.rpartition(".")
            if name.startswith("bn") and name != "bn":
                dot = f"{outer}." if outer else ""
                full[f"{dot}conv{name[2:]}_s.bn.bn.{leaf}"] = value
                full[f"{dot}conv{name[2:]}_s.bn.seqbn.module.{leaf}"] = value
    return full


def store(v, bits, alpha):
    levels = 2 ** (bits - 1) - 1
    u = torch.tanh(v)
    a = u.abs().max() if alpha == "batch" else torch.tensor(alpha, dtype=v.dtype)
    if a == 0:
        return torch.zeros_like(v)
    return torch.round(torch.clip(u / a, -1, 1) * levels) * a / levels


def reference(state, frames, *, bits, alpha=1.0, strides=None, mean=(0.0,), std=(1.0,)):
    """Logits per step (T, B, classes) and spikes of frames (B, T, C, H, W), float64."""
    state = {k: torch.from_numpy(np.asarray(v, dtype=np.float64)) for k, v in state.items()}
    spikes = {}

    def weights8(w):
        top = w.max()
        return torch.round(w / top * 127) / 127 * top

    def binary(w):
        flat = w.flatten(1)
        z = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True)
        scale = 2.0 ** torch.round(torch.log2(z.abs().mean(1, keepdim=True)))
        return (torch.sign(z) * scale).view_as(w)

    def bn(name, y):
        w, b, m, v = (
            state[f"{name}.{p}"].view(-1, 1, 1)
            for p in ("weight", "bias", "running_mean", "running_var")
        )
        return (y - m) / torch.sqrt(v + 1e-5) * w + b

    def conv(name, after, x, stride=1, first=False):
        w = state[f"{name}.weight"]
        w = weights8(w) if first else binary(w)
        ys = [
            F.conv2d(s, w, state.get(f"{name}.bias"), stride=stride, padding=w.shape[-1] // 2)
            for s in x
        ]
        return bn(after, torch.stack(ys))

    def lif(name, x):
        kept, out = torch.zeros_like(x[0]), []
        for step in x:
            v = 0.5 * kept + step
            s = (v > 1.0).double()
            kept = store(v * (1 - s), bits, alpha)
            out.append(s)
        spikes[name] = torch.stack(out).numpy()
        return torch.stack(out)

    x = torch.from_numpy(np.asarray(frames, dtype=np.float64)) / 255
    x = (x - torch.tensor(mean, dtype=torch.float64).view(-1, 1, 1)) / torch.tensor(
        std, dtype=torch.float64
    ).view(-1, 1, 1)
    x = x.transpose(0, 1)
    if "conv1.weight" in state:
        wide = state["conv1.weight"].shape[-1] == 7
        x = lif("lif1", conv("conv1", "bn1.bn", x, 2 if wide else 1, first=True))
        if wide:
            x = torch.stack([F.max_pool2d(s, 3, 2, 1) for s in x])
        for name in dict.fromkeys(k.rsplit(".conv1", 1)[0] for k in state if ".conv1.weight" in k):
            stride = 2 if name.endswith(".0") and not name.startswith("layer1.") else 1
            s = lif(f"{name}.lif1", conv(f"{name}.conv1", f"{name}.bn1.bn", x, stride))
            y = conv(f"{name}.conv2", f"{name}.bn2.bn", s)
            down = f"{name}.downsample"
            if f"{down}.layer.module.weight" in state:
                x = conv(f"{down}.layer.module", f"{down}.bn.bn", x, stride)
            x = lif(f"{name}.lif2", y + x)
        x, head = x.mean((3, 4)), "fc.ops"
    else:
        indices = sorted({int(k.split(".")[1]) for k in state if k.startswith("features.")})
        for n, i in enumerate(indices):
            if i and i - 1 not in indices:
                x = torch.stack([F.avg_pool2d(s, 2) for s in x])
            name = f"features.{i}.fwd.module"
            stride = strides[n] if strides else 1
            x = lif(f"features.{i}.act", conv(f"{name}.0", f"{name}.1", x, stride, first=i == 0))
        x, head = x.flatten(2), "classifier.module"
    return (x @ weights8(state[f"{head}.weight"]).T + state[f"{head}.bias"]).numpy(), spikes
