"""Random state dicts in the authors' layout, and models.md once more in float64 numpy."""

import numpy as np

STEMS = {
    "cifar": [f"patch_embed.block{i}" for i in range(5)],
    "imagenet": ["patch_embed.proj", *(f"patch_embed.proj{i}" for i in range(1, 5))],
}
POOLED = {"cifar": (3, 4), "imagenet": (1, 2, 3, 4)}


def make_state(
    seed=0, *, variant="cifar", dim=16, heads=2, depth=1, steps=3, channels=1, classes=5, ratio=2
):
    """State dict, float32, whose neurons fire on random images."""
    rng = np.random.default_rng(seed)
    state = {}

    def conv_bn(stem, *shape, spread):
        out = shape[0]
        state[f"{stem}_conv.weight"] = rng.normal(size=shape)
        state[f"{stem}_bn.weight"] = rng.uniform(0.6, 1.6, out) * rng.choice([-1, 1], out)
        state[f"{stem}_bn.bias"] = rng.uniform(0.0, 1.2, out) + 0.8 * stem.endswith(
            (".q", ".k", ".v")
        )
        state[f"{stem}_bn.running_mean"] = rng.normal(size=out) * spread * 0.3
        state[f"{stem}_bn.running_var"] = rng.uniform(0.5, 1.5, out) * spread**2
        state[f"{stem}_bn.num_batches_tracked"] = np.array(7)

    widths = (channels, dim // 8, dim // 4, dim // 2, dim, dim)
    for stem, i, o in zip(STEMS[variant], widths[:-1], widths[1:], strict=True):
        conv_bn(stem, o, i, 3, 3, spread=1.5 if i == channels else (9 * i * 0.2) ** 0.5)
    for n in range(depth):
        attn, mlp = f"block.{n}.attn", f"block.{n}.mlp"
        state[f"{attn}.lambda_attn"] = rng.normal(size=(steps, 1, heads, 1, 1)) * 5 + 8
        for c in ("q", "k", "v", "proj"):
            conv_bn(f"{attn}.{c}", dim, dim, 1, spread=(dim * 0.25) ** 0.5)
        conv_bn(f"{mlp}.mlp1", ratio * dim, dim, 1, 1, spread=(dim * 0.25) ** 0.5)
        conv_bn(f"{mlp}.mlp2", dim, ratio * dim, 1, 1, spread=(ratio * dim * 0.25) ** 0.5)
    for head in ("head", "head2"):
        state[f"{head}.weight"] = rng.normal(size=(classes, dim))
        state[f"{head}.bias"] = rng.normal(size=classes)
    return {k: np.asarray(v, dtype=np.float32 if v.ndim else np.int64) for k, v in state.items()}


def lif(x, theta=1.0, soft=False):
    v, spikes = np.zeros_like(x[0]), []
    for step in x:
        v = v + (step - v) / 2
        s = (v >= theta).astype(float)
        v = v - theta * s if soft else v * (1 - s)
        spikes.append(s)
    return np.stack(spikes)


def convolve(x, w):
    """(..., C, H, W) with (O, C, k, k), 'same' zero padding."""
    k = w.shape[2]
    h, width = x.shape[-2:]
    wide = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(k // 2, k // 2)] * 2)
    taps = [
        np.einsum("oc,...cyx->...oyx", w[:, :, i, j], wide[..., i : i + h, j : j + width])
        for i in range(k)
        for j in range(k)
    ]
    return sum(taps)


def pool(s):
    h, w = s.shape[-2:]
    rows = [s[..., max(0, 2 * y - 1) : 2 * y + 2, :].max(-2) for y in range((h + 1) // 2)]
    s = np.stack(rows, -2)
    columns = [s[..., max(0, 2 * x - 1) : 2 * x + 2].max(-1) for x in range((w + 1) // 2)]
    return np.stack(columns, -1)


def reference(state, frames, *, variant, order, similarity="and", mean=(0.0,), std=(1.0,)):
    """Logits (B, classes) and spikes by name of frames (B, T, C, H, W), from models.md alone."""
    state = {k: np.asarray(v, dtype=float) for k, v in state.items()}
    stems, spikes = STEMS[variant], {}

    def bn(stem, y):
        w, b, m, v = (
            state[f"{stem}_bn.{p}"].reshape(-1, 1, 1)
            for p in ("weight", "bias", "running_mean", "running_var")
        )
        return (y - m) / np.sqrt(v + 1e-5) * w + b

    def binary(stem, s):
        w = state[f"{stem}_conv.weight"]
        w = w.reshape(*w.shape[:2], *(w.shape[2:] if w.ndim == 4 else (1, 1)))
        sign = np.sign(w - w.mean(axis=(1, 2, 3), keepdims=True))
        return bn(stem, convolve(s, sign))

    def fire(name, x, **kind):
        spikes[name] = lif(x, **kind)
        return spikes[name]

    x = (frames / 255 - np.reshape(mean, (-1, 1, 1))) / np.reshape(std, (-1, 1, 1))
    x = x.transpose(1, 0, 2, 3, 4)
    x = bn(stems[0], convolve(x, state[f"{stems[0]}_conv.weight"]))
    for i, stem in enumerate(stems[1:], 1):
        s = fire(f"{stem}_lif", x)
        x = binary(stem, pool(s) if i in POOLED[variant] else s)
    x0, x1 = None, x
    depth = sum(k.endswith("lambda_attn") for k in state)
    for n in range(depth):
        attn, mlp = f"block.{n}.attn", f"block.{n}.mlp"
        lam = state[f"{attn}.lambda_attn"]
        steps, _, heads = lam.shape[:3]
        s = fire(f"{attn}.proj_lif", x1)
        q, k, v = (fire(f"{attn}.{c}_lif", binary(f"{attn}.{c}", s)) for c in "qkv")
        shape, d = q.shape, q.shape[2] // heads
        # head h owns channels h * d to h * d + d - 1; lists over heads of (T, B, d, N)
        q, k, v = (
            [a[:, :, h * d : h * d + d].reshape(*shape[:2], d, -1) for h in range(heads)]
            for a in (q, k, v)
        )
        maps, outs = [], []
        for h in range(heads):
            if order == "kv":
                count = np.einsum("tbin,tbjn->tbij", k[h], v[h])
            elif similarity == "and":
                count = np.einsum("tbin,tbim->tbnm", q[h], k[h])
            else:
                count = (q[h][..., :, None] == k[h][..., None, :]).sum(axis=2).astype(float)
            theta = 1.0 if similarity == "and" else d / 2 + 1
            maps.append(lif(count, theta=theta, soft=True))
            if order == "kv":
                total = np.einsum("tbin,tbij->tbjn", q[h], maps[h])
            else:
                total = np.einsum("tbnm,tbim->tbin", maps[h], v[h])
            gain = 0.125 * lam[:, 0, h, 0, 0].reshape(steps, 1, 1, 1)
            outs.append(lif(total * gain, theta=0.5))
        spikes[f"{attn}.attn_lif0"] = np.stack(maps, axis=2)
        o = spikes[f"{attn}.attn_lif"] = np.concatenate(outs, axis=2).reshape(shape)
        x2 = binary(f"{attn}.proj", o) + (x1 if x0 is None else (x0 + x1) / 2)
        s = fire(f"{mlp}.mlp2_lif", binary(f"{mlp}.mlp1", fire(f"{mlp}.mlp1_lif", x2)))
        x0, x1 = x2, binary(f"{mlp}.mlp2", s) + (x1 + x2) / 2
    means = [a.mean(axis=(0, 3, 4)) for a in (x0, x1)]
    logits = [
        m @ state[f"{h}.weight"].T + state[f"{h}.bias"]
        for m, h in zip(means, ("head", "head2"), strict=True)
    ]
    return (logits[0] + logits[1]) / 2, spikes
