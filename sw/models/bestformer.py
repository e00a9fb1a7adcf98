"""The BESTformer: a binary, event-driven, reversible spiking transformer (IJCAI 2025).

Module names, and with them the state dict's keys, are those of the authors' code. T, B, H, N, D, d
are time steps, batch, heads, tokens, channels and channels per head (channel c = head * d + i).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hw.arch.errors import SpikeloomError
from sw.models.binary import BinaryConv1d, BinaryConv2d
from sw.models.config import BestformerConfig
from sw.models.neurons import LIF

Trace = dict[str, Tensor]  #: Module path of a neuron to its spikes (T, B, ...).

ATTENTION_SCALE = 0.125
ATTENTION_THETA = 0.5  #: Of the neuron after A v.


def _over_time(bn: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    """``bn(conv(x))`` of each step of ``x`` (T, B, ...)."""
    y = bn(conv(x.flatten(0, 1)))
    return y.unflatten(0, x.shape[:2])


class _Traced(nn.Module):
    """A module whose neurons note their spikes under their module path."""

    def spikes(self, name: str, x: Tensor, trace: Trace | None, path: str) -> Tensor:
        """Spikes of the neuron ``name`` for currents ``x``."""
        s = getattr(self, name)(x)
        if trace is not None:
            trace[f"{path}.{name}"] = s.detach()
        return s


class Tokenizer(_Traced):
    """Image to residual stream: a real-valued and four binary 3x3 convolutions.

    Input (B, C, H, W), the same image at every step, or (B, T, C, H, W); output
    (T, B, D, H/downscale, W/downscale), real-valued.
    """

    def __init__(self, config: BestformerConfig):
        super().__init__()
        self.steps = config.steps
        d = config.embed_dim
        widths = (d // 8, d // 4, d // 2, d, d)
        if config.variant == "cifar":
            self.names = tuple(f"block{i}" for i in range(5))
            self.pooled = self.names[3:]
        else:
            self.names = ("proj", *(f"proj{i}" for i in range(1, 5)))
            self.pooled = self.names[1:]
        first = self.names[0]
        self.add_module(
            f"{first}_conv", nn.Conv2d(config.channels, widths[0], 3, padding=1, bias=False)
        )
        self.add_module(f"{first}_bn", nn.BatchNorm2d(widths[0]))
        for name, inputs, outputs in zip(self.names[1:], widths, widths[1:], strict=False):
            self.add_module(f"{name}_lif", LIF())
            self.add_module(f"{name}_conv", BinaryConv2d(inputs, outputs, 3))
            self.add_module(f"{name}_bn", nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor, trace: Trace | None = None, path: str = "patch_embed") -> Tensor:
        """Residual stream of normalised images."""
        first = self.names[0]
        conv, bn = getattr(self, f"{first}_conv"), getattr(self, f"{first}_bn")
        if x.ndim == 4:  # computed once, shown at every step
            y = bn(conv(x))
            y = y.unsqueeze(0).expand(self.steps, *y.shape)
        else:
            y = _over_time(bn, conv, x.transpose(0, 1))
        for name in self.names[1:]:
            s = self.spikes(f"{name}_lif", y, trace, path)
            if name in self.pooled:
                s = F.max_pool2d(s.flatten(0, 1), 3, 2, 1).unflatten(0, s.shape[:2])
            y = _over_time(getattr(self, f"{name}_bn"), getattr(self, f"{name}_conv"), s)
        return y


class Attention(_Traced):
    """Spiking self-attention with a 1-bit map; (T, B, D, H, W) to the same shape."""

    def __init__(self, config: BestformerConfig):
        super().__init__()
        d = config.embed_dim
        self.heads, self.order, self.similarity = (
            config.heads, config.attention, config.similarity,
        )  # fmt: skip
        self.lambda_attn = nn.Parameter(torch.ones(config.steps, 1, config.heads, 1, 1))
        self.proj_lif = LIF()
        for name in "qkv":
            self.add_module(f"{name}_conv", BinaryConv1d(d, d))
            self.add_module(f"{name}_bn", nn.BatchNorm1d(d))
            self.add_module(f"{name}_lif", LIF())
        self.attn_lif0 = LIF(config.map_theta, soft=True)
        self.attn_lif = LIF(ATTENTION_THETA)
        self.proj_conv = BinaryConv1d(d, d)
        self.proj_bn = nn.BatchNorm1d(d)

    def forward(self, x: Tensor, trace: Trace | None = None, path: str = "attn") -> Tensor:
        """What attention adds to the stream ``x``."""
        shape = x.shape
        s = self.spikes("proj_lif", x, trace, path).flatten(3)  # (T, B, D, N)
        operands = []
        for name in "qkv":
            y = _over_time(getattr(self, f"{name}_bn"), getattr(self, f"{name}_conv"), s)
            y = self.spikes(f"{name}_lif", y, trace, path)
            operands.append(y.unflatten(2, (self.heads, -1)))  # (T, B, H, d, N)
        q, k, v = operands
        if self.order == "qk":
            counts = q.mT @ k  # (T, B, H, N, N), [query, key]
            if self.similarity == "xnor":  # both one, or both zero
                counts = counts + (1.0 - q).mT @ (1.0 - k)
            bits = self.spikes("attn_lif0", counts, trace, path)
            o = v @ bits.mT  # (T, B, H, d, N): sum over keys
        else:
            bits = self.spikes("attn_lif0", k @ v.mT, trace, path)  # (T, B, H, d, d), [k, v]
            o = bits.mT @ q  # (T, B, H, d, N): sum over k channels
        o = (o * ATTENTION_SCALE * self.lambda_attn).flatten(2, 3)  # (T, B, D, N)
        o = self.spikes("attn_lif", o, trace, path)
        return _over_time(self.proj_bn, self.proj_conv, o).reshape(shape)


class MLP(_Traced):
    """Two binary 1x1 layers, each behind a neuron; (T, B, D, H, W) to the same shape."""

    def __init__(self, config: BestformerConfig):
        super().__init__()
        d = config.embed_dim
        hidden = config.mlp_ratio * d
        self.mlp1_lif = LIF()
        self.mlp1_conv = BinaryConv2d(d, hidden, 1)
        self.mlp1_bn = nn.BatchNorm2d(hidden)
        self.mlp2_lif = LIF()
        self.mlp2_conv = BinaryConv2d(hidden, d, 1)
        self.mlp2_bn = nn.BatchNorm2d(d)

    def forward(self, x: Tensor, trace: Trace | None = None, path: str = "mlp") -> Tensor:
        """What the MLP adds to the stream ``x``."""
        y = _over_time(self.mlp1_bn, self.mlp1_conv, self.spikes("mlp1_lif", x, trace, path))
        return _over_time(self.mlp2_bn, self.mlp2_conv, self.spikes("mlp2_lif", y, trace, path))


class Block(nn.Module):
    """One reversible block: (x0, x1) to (x2, x3); x0 is None before the first."""

    def __init__(self, config: BestformerConfig):
        super().__init__()
        self.attn = Attention(config)
        self.mlp = MLP(config)

    def forward(
        self, x0: Tensor | None, x1: Tensor, trace: Trace | None = None, path: str = "block"
    ) -> tuple[Tensor, Tensor]:
        """The next pair of residual streams."""
        halved = x1 if x0 is None else (x0 + x1) / 2
        x2 = self.attn(x1, trace, f"{path}.attn") + halved
        x3 = self.mlp(x2, trace, f"{path}.mlp") + (x1 + x2) / 2
        return x2, x3


class Bestformer(nn.Module):
    """The whole network; its state dict has the authors' keys and shapes.

    Parameters
    ----------
    config : BestformerConfig
        Every size and mode.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, config: BestformerConfig):
        super().__init__()
        self.config = config
        self.patch_embed = Tokenizer(config)
        self.block = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.head = nn.Linear(config.embed_dim, config.classes)
        self.head2 = nn.Linear(config.embed_dim, config.classes)
        self.register_buffer("_mean", torch.tensor(config.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(config.std).view(-1, 1, 1), persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """(pixel / 255 - mean) / std of uint8 images (..., C, H, W), float32."""
        return (images.float() / 255.0 - self._mean) / self._std

    def forward(self, x: Tensor, trace: Trace | None = None) -> tuple[Tensor, Tensor]:
        """Logits of both heads; the prediction is the class of their mean (`mean_logits`).

        Parameters
        ----------
        x : Tensor
            Normalised images, (B, C, H, W) shown at every step or (B, T, C, H, W).
        trace : dict, optional
            Receives every neuron's spikes under its module path: q/k/v and attn_lif
            (T, B, D, N), attn_lif0 (T, B, H, N, N) [query, key] or (T, B, H, d, d)
            [k channel, v channel], all others (T, B, C, H, W).

        Returns
        -------
        tuple of Tensor
            Logits (B, classes) of ``head`` on x2 and of ``head2`` on x3 of the last pair.
        """
        c = self.config
        image = (c.channels, c.height, c.width)
        if tuple(x.shape[1:]) not in (image, (c.steps, *image)):
            raise SpikeloomError(
                f"BESTformer input: shape {tuple(x.shape)}, wanted (B, {c.channels}, {c.height}, "
                f"{c.width}) or (B, {c.steps}, {c.channels}, {c.height}, {c.width}); "
                "resize the images or change the configuration"
            )
        x0, x1 = None, self.patch_embed(x, trace)
        for i, block in enumerate(self.block):
            x0, x1 = block(x0, x1, trace, f"block.{i}")
        assert x0 is not None
        features = [y.flatten(3).mean(3).mean(0) for y in (x0, x1)]
        return self.head(features[0]), self.head2(features[1])

    def mean_logits(self, x: Tensor, trace: Trace | None = None) -> Tensor:
        """Mean of both heads' logits, (B, classes); arguments as in `forward`."""
        head, head2 = self(x, trace)
        return (head + head2) / 2
