"""The same blocks as multi-step modules over spikingjelly, to be measured beside `sw.nn`.

Each module has the names, and with them the state dict, of its counterpart, whose weights it takes.
Time and batch are one axis in convolutions and BatchNorm, tensors are contiguous (T, B, C, H, W),
and a layer binarises its weight in its forward pass. This is the reference: written for speed as
far as spikingjelly's own modules go, with its neuron's loop over time as the only one.
"""

from typing import Any

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import (  # pyright: ignore[reportMissingImports]  # of an extra
    functional,
    layer,
    neuron,
    surrogate,
)
from torch import Tensor, nn

from sw.families.bestformer.config import BestformerConfig
from sw.families.bestformer.model import ATTENTION_SCALE, ATTENTION_THETA
from sw.families.qsnn.config import QsnnConfig

reset = functional.reset_net  #: Forgets the neurons' states, once a step.


def lif(theta: float = 1.0, *, soft: bool = False) -> neuron.LIFNode:
    """Neuron of decaying input over all steps; `PiecewiseQuadratic` is the triangle."""
    return neuron.LIFNode(
        tau=2.0,
        v_threshold=theta,
        v_reset=None if soft else 0.0,
        detach_reset=True,
        surrogate_function=surrogate.PiecewiseQuadratic(alpha=1.0),
        step_mode="m",
    )


class Sign(torch.autograd.Function):
    """sign, whose gradient passes within -1 to 1."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.sign(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0] * (x.abs() <= 1.0)


def binary(weight: Tensor) -> Tensor:
    """Signs of real weights less their mean, per output channel."""
    mean = weight.mean(dim=tuple(range(1, weight.ndim)), keepdim=True)
    return Sign.apply(weight - mean)


class BinaryConv1d(nn.Conv1d):
    """1x1 over tokens, (B, C, N)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv1d(input, binary(self.weight))


class BinaryConv2d(nn.Conv2d):
    """1x1 or 3x3, (B, C, H, W)."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, binary(self.weight), padding=self.padding)


class Stage(nn.Module):
    """Neuron, binary 3x3 convolution and BatchNorm of a tokenizer."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.lif = lif()
        self.conv = BinaryConv2d(inputs, outputs, 3)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(self.lif(x).flatten(0, 1))).unflatten(0, x.shape[:2])


class Tokenizer(nn.Module):
    """Image to residual stream; the first convolution runs once and is repeated."""

    def __init__(self, config: BestformerConfig):
        super().__init__()
        self.steps = config.steps
        d = config.embed_dim
        widths = (d // 8, d // 4, d // 2, d, d)
        self.block0_conv = nn.Conv2d(config.channels, widths[0], 3, padding=1, bias=False)
        self.block0_bn = nn.BatchNorm2d(widths[0])
        for i in range(1, 5):
            self.add_module(f"block{i}_lif", lif())
            self.add_module(f"block{i}_conv", BinaryConv2d(widths[i - 1], widths[i], 3))
            self.add_module(f"block{i}_bn", nn.BatchNorm2d(widths[i]))
        self.pool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.block0_bn(self.block0_conv(x))
        y = y.unsqueeze(0).expand(self.steps, *y.shape)
        for i in range(1, 5):
            s = getattr(self, f"block{i}_lif")(y).flatten(0, 1)
            if i >= 3:
                s = self.pool(s)
            y = getattr(self, f"block{i}_bn")(getattr(self, f"block{i}_conv")(s))
            y = y.unflatten(0, (self.steps, -1))
        return y


class Attention(nn.Module):
    """Spiking self-attention; operands (T, B, H, N, d)."""

    def __init__(self, config: BestformerConfig):
        super().__init__()
        d, self.heads = config.embed_dim, config.heads
        self.lambda_attn = nn.Parameter(torch.ones(config.steps, 1, config.heads, 1, 1))
        self.proj_lif = lif()
        for name in "qkv":
            self.add_module(f"{name}_conv", BinaryConv1d(d, d))
            self.add_module(f"{name}_bn", nn.BatchNorm1d(d))
            self.add_module(f"{name}_lif", lif())
        self.attn_lif0 = lif(soft=True)
        self.attn_lif = lif(ATTENTION_THETA)
        self.proj_conv = BinaryConv1d(d, d)
        self.proj_bn = nn.BatchNorm1d(d)

    def forward(self, x: Tensor) -> Tensor:
        steps, batch, d, *grid = x.shape
        s = self.proj_lif(x).flatten(3).flatten(0, 1)
        operands = []
        for name in "qkv":
            y = getattr(self, f"{name}_bn")(getattr(self, f"{name}_conv")(s))
            y = getattr(self, f"{name}_lif")(y.unflatten(0, (steps, batch)))
            y = y.view(steps, batch, self.heads, d // self.heads, -1)
            operands.append(y.transpose(3, 4).contiguous())
        q, k, v = operands
        bits = self.attn_lif0(q @ k.transpose(3, 4))
        o = (bits @ v) * ATTENTION_SCALE * self.lambda_attn
        o = self.attn_lif(o.transpose(3, 4).reshape(steps, batch, d, -1))
        y = self.proj_bn(self.proj_conv(o.flatten(0, 1)))
        return y.view(steps, batch, d, *grid)


class MLP(nn.Module):
    """Two binary 1x1 layers."""

    def __init__(self, config: BestformerConfig):
        super().__init__()
        d = config.embed_dim
        hidden = config.mlp_ratio * d
        for number, inputs, outputs in (("1", d, hidden), ("2", hidden, d)):
            self.add_module(f"mlp{number}_lif", lif())
            self.add_module(f"mlp{number}_conv", BinaryConv2d(inputs, outputs, 1))
            self.add_module(f"mlp{number}_bn", nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        for number in "12":
            s = getattr(self, f"mlp{number}_lif")(x).flatten(0, 1)
            y = getattr(self, f"mlp{number}_bn")(getattr(self, f"mlp{number}_conv")(s))
            x = y.unflatten(0, x.shape[:2])
        return x


class Block(nn.Module):
    """A reversible block."""

    def __init__(self, config: BestformerConfig):
        super().__init__()
        self.attn, self.mlp = Attention(config), MLP(config)

    def forward(self, x0: Tensor | None, x1: Tensor) -> tuple[Tensor, Tensor]:
        x2 = self.attn(x1) + (x1 if x0 is None else (x0 + x1) / 2)
        return x2, self.mlp(x2) + (x1 + x2) / 2


class Bestformer(nn.Module):
    """The whole network."""

    def __init__(self, config: BestformerConfig):
        super().__init__()
        self.patch_embed = Tokenizer(config)
        self.block = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.head = nn.Linear(config.embed_dim, config.classes)
        self.head2 = nn.Linear(config.embed_dim, config.classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x0, x1 = None, self.patch_embed(x)
        for block in self.block:
            x0, x1 = block(x0, x1)
        assert x0 is not None
        return self.head(x0.flatten(3).mean(3).mean(0)), self.head2(x1.flatten(3).mean(3).mean(0))


class Above(torch.autograd.Function):
    """Spikes where x > 0, with the triangle's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0] * (1.0 - x.abs()).clamp_(min=0.0)


class Round(torch.autograd.Function):
    """Nearest whole number; the gradient passes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class StoredNode(neuron.SimpleBaseNode):
    """Neuron whose membrane is stored in few bits; spikingjelly has none, but a base for it."""

    def __init__(self, bits: int, alpha: float):
        super().__init__(surrogate_function=Above.apply, detach_reset=True, step_mode="m")
        self.levels, self.alpha = 2 ** (bits - 1) - 1, alpha

    def neuronal_charge(self, x: Tensor) -> None:
        """The stored membrane leaks, the current does not."""
        self.v = self.v * 0.5 + x

    def neuronal_reset(self, spike: Tensor) -> None:
        """Reset, then store."""
        v = self.v.masked_fill(spike.bool(), 0.0)
        u = (torch.tanh(v).clamp(-self.alpha, self.alpha) / self.alpha) * self.levels
        self.v = Round.apply(u) * self.alpha / self.levels


NEURONS = (neuron.LIFNode, StoredNode)


class Annealed(torch.autograd.Function):
    """sign, whose gradient is that of a tanh of sharpness ``t``."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, t: float) -> Tensor:
        ctx.save_for_backward(z)
        ctx.t = t
        return torch.sign(z)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        t = ctx.t
        return grads[0] * (max(1 / t, 1.0) * t * (1 - torch.tanh(t * z) ** 2)), None


class ScaledConv2d(layer.Conv2d):
    """3x3 with standardised signs, times a power of two per channel."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 3, padding=1, bias=False, step_mode="m")
        self.t = 0.1

    def forward(self, x: Tensor) -> Tensor:
        axes = (1, 2, 3)
        w = self.weight
        z = (w - w.mean(axes, keepdim=True)) / w.std(axes, keepdim=True)
        scale = torch.exp2(torch.round(torch.log2(z.abs().mean(axes, keepdim=True)))).detach()
        w = Annealed.apply(z, self.t) * scale
        return F.conv2d(x.flatten(0, 1), w, padding=1).unflatten(0, x.shape[:2])


class BasicBlock(nn.Module):
    """Two convolutions and the identity as shortcut."""

    def __init__(self, config: QsnnConfig, width: int):
        super().__init__()
        assert config.alpha is not None
        bits, alpha = config.membrane_bits, config.alpha
        self.conv1, self.conv2 = ScaledConv2d(width, width), ScaledConv2d(width, width)
        self.bn1 = nn.ModuleDict({"bn": layer.BatchNorm2d(width, step_mode="m")})
        self.bn2 = nn.ModuleDict({"bn": layer.BatchNorm2d(width, step_mode="m")})
        self.lif1, self.lif2 = StoredNode(bits, alpha), StoredNode(bits, alpha)

    def forward(self, x: Tensor) -> Tensor:
        s = self.lif1(self.bn1["bn"](self.conv1(x)))
        return self.lif2(self.bn2["bn"](self.conv2(s)) + x)
