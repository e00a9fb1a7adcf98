"""The integer network once more, dense, in int64, straight from the words of sw/network.py.

Shares no code with sw.golden: plain convolution by padding and summing taps, einsum for
attention, python-level steps.
"""

import numpy as np

from sw import network as nw

LOW, HIGH = -(1 << 17), (1 << 17) - 1
MOST = (1 << 14) - 2


def clip(x):
    return np.minimum(np.maximum(x, LOW), HIGH)


def convolve(x, weight, padding, stride=1):
    """(..., C, H, W) int64 with (O, C, kh, kw), zero-padded; strides by leaving out."""
    kh, kw = weight.shape[2:]
    h, w = x.shape[-2] + 2 * padding, x.shape[-1] + 2 * padding
    wide = np.zeros((*x.shape[:-2], h, w), dtype=np.int64)
    wide[..., padding : h - padding, padding : w - padding] = x
    rows, columns = h - kh + 1, w - kw + 1
    out = np.zeros((*x.shape[:-3], len(weight), rows, columns), dtype=np.int64)
    for i in range(kh):
        for j in range(kw):
            tap = wide[..., i : i + rows, j : j + columns]
            out += np.einsum("oc,...cyx->...oyx", weight[:, :, i, j], tap)
    return out[..., ::stride, ::stride]


def code_spikes(neuron, y):
    """Spikes of y (T, ...) of a neuron that keeps a code."""
    code = np.zeros_like(y[0])
    spikes = []
    for step in y:
        u = code * 2**neuron.state.shift + step
        fired = u >= neuron.theta
        u = np.where(fired, 0, u)
        code = np.zeros_like(u)
        for threshold in neuron.state.thresholds.tolist():
            code += (u > 0) & (np.minimum(u, MOST) >= threshold)
            code -= (u < 0) & (np.minimum(-u, MOST) >= threshold)
        spikes.append(fired.astype(np.int64))
    return np.stack(spikes)


def neuron_spikes(neuron, y):
    """Spikes of y (T, ...)."""
    if neuron.state:
        return code_spikes(neuron, y)
    v = np.zeros_like(y[0])
    spikes = []
    for step in y:
        u = (v + step) // 2
        fired = u >= neuron.theta
        v = np.where(fired, u - neuron.theta if neuron.soft else 0, u)
        spikes.append(fired.astype(np.int64))
    return np.stack(spikes)


def run_naive(network, frames):
    """Frames (B, F, C, H, W): logits (B, classes) and every tensor (T, B, ...), int64.

    A stream is one sample of B steps, whose tensors then change places of T and B.
    """
    if network.stream:
        logits, env = run_steps(network, frames.swapaxes(0, 1), len(frames))
        return logits, {k: v.swapaxes(0, 1) if v.ndim > 2 else v for k, v in env.items()}
    return run_steps(network, frames, network.steps)


def run_steps(network, frames, steps):
    env = {}
    for layer in network.layers:
        match layer:
            case nw.PixelConv():
                x = frames.astype(np.int64).transpose(1, 0, 2, 3, 4)
                x = np.concatenate([x] * (steps // len(x)))
                p = x * 2**layer.pixel_shift - np.array(layer.centre).reshape(-1, 1, 1)
                sums = convolve(p, layer.weight, layer.padding, layer.stride)
                y = clip((sums + layer.bias.reshape(-1, 1, 1)) // 2**layer.shift)
                env[layer.neuron.name] = neuron_spikes(layer.neuron, y)
            case nw.BinaryLayer():
                s = env[layer.source]
                sign = np.where(layer.weight, 1, -1)
                if layer.pool == 2:
                    h, w = s.shape[-2] // 2, s.shape[-1] // 2
                    s = s[..., : 2 * h, : 2 * w].reshape(*s.shape[:-2], h, 2, w, 2).sum((-3, -1))
                sums = convolve(s, sign, layer.weight.shape[2] // 2, layer.stride)
                factor, bias = (
                    a.reshape(-1, 1, 1) for a in (layer.affine.factor, layer.affine.bias)
                )
                y = clip((factor * sums + bias) // 2**layer.affine.shift)
                if layer.shortcut:
                    y = clip(y + env[layer.shortcut.source] * layer.shortcut.value)
                if layer.residual:
                    streams = [env[name] for name in layer.residual.inputs]
                    if len(streams) == 1:
                        y = y + streams[0]
                    elif streams:
                        y = y + (streams[0] + streams[1]) // 2
                    y = env[layer.residual.output] = clip(y)
                if layer.neuron:
                    env[layer.neuron.name] = neuron_spikes(layer.neuron, y)
            case nw.SpikePool():
                s = env[layer.source]
                h, w = s.shape[-2:]
                out = np.zeros((*s.shape[:-2], (h + 1) // 2, (w + 1) // 2), dtype=np.int64)
                for y in range(out.shape[-2]):
                    for x in range(out.shape[-1]):
                        window = s[
                            ..., max(0, 2 * y - 1) : 2 * y + 2, max(0, 2 * x - 1) : 2 * x + 2
                        ]
                        out[..., y, x] = window.max(axis=(-2, -1))
                env[layer.name] = out
            case nw.AttentionMap():
                left, right = (split(env[n], layer.heads) for n in (layer.left, layer.right))
                if layer.order == "kv":
                    sums = np.einsum("tbhni,tbhnj->tbhij", left, right)
                else:
                    sums = np.einsum("tbhni,tbhmi->tbhnm", left, right)
                    if layer.similarity == "xnor":
                        sums += np.einsum("tbhni,tbhmi->tbhnm", 1 - left, 1 - right)
                y = clip((layer.affine.factor * sums + layer.affine.bias) // 2**layer.affine.shift)
                env[layer.neuron.name] = neuron_spikes(layer.neuron, y)
            case nw.AttentionApply():
                operand, bits = split(env[layer.source], layer.heads), env[layer.map]
                rule = "tbhnm,tbhmc->tbhcn" if layer.order == "qk" else "tbhij,tbhni->tbhjn"
                sums = np.einsum(rule, bits, operand)
                factor, bias = (
                    a[:, None, :, None, None] for a in (layer.affine.factor, layer.affine.bias)
                )
                y = clip((factor * sums + bias) // 2**layer.affine.shift)
                spikes = neuron_spikes(layer.neuron, y)
                env[layer.neuron.name] = spikes.reshape(env[layer.source].shape)
            case nw.Mean():
                total = env[layer.source]
                if network.stream:
                    total = total[None, :, 0]
                total = total.sum(axis=0)
                total = (
                    total.sum(axis=(2, 3)) if layer.over_tokens else total.reshape(len(total), -1)
                )
                env[layer.name] = clip((total * layer.factor + layer.bias) // 2**layer.shift)
            case nw.Head():
                x = np.concatenate([env[name] for name in layer.sources], axis=1)
                logits = clip((x @ layer.weight.T + layer.bias) // 2**layer.shift)
    return logits, env


def split(s, heads):
    """(T, B, C, H, W) to (T, B, heads, N, d)."""
    steps, count, channels = s.shape[:3]
    return s.reshape(steps, count, heads, channels // heads, -1).transpose(0, 1, 2, 4, 3)
