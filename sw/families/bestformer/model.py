"""The BESTformer: a binary, event-driven, reversible spiking transformer (IJCAI 2025).

Module names, and with them the state dict's keys, are those of the authors' code. T, B, H, N, D, d
are time steps, batch, heads, tokens, channels and channels per head (channel c = head * d + i).
"""

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sw.families.bestformer.config import BestformerConfig
from sw.nn.binary import BinaryConv1d, BinaryConv2d
from sw.nn.network import Network, Summing, Trace
from sw.nn.neurons import LIF
from sw.nn.norm import Norm1d, Norm2d, channels_last
from sw.nn.rounding import AffineRounding, PixelRounding

ATTENTION_SCALE = 0.125
ATTENTION_THETA = 0.5  #: Of the neuron after A v.


def pooled(spikes: Tensor) -> Tensor:
    """Maxima over 3x3 windows of stride 2, (T, B, C, H, W)."""
    return F.max_pool2d(spikes.flatten(0, 1), 3, 2, 1).unflatten(0, spikes.shape[:2])


class _Traced(nn.Module):
    """A module whose neurons note their spikes under their module path."""

    def spikes(
        self, name: str, x: Tensor, trace: Trace | None, path: str, steps: int | None = None
    ) -> Tensor:
        """Spikes of the neuron ``name`` for currents ``x``."""
        s = getattr(self, name)(x, steps)
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
        self.rounding: PixelRounding | None = None  #: Of the first convolution.
        first = self.names[0]
        self.add_module(
            f"{first}_conv", nn.Conv2d(config.channels, widths[0], 3, padding=1, bias=False)
        )
        self.add_module(f"{first}_bn", Norm2d(widths[0]))
        for name, inputs, outputs in zip(self.names[1:], widths, widths[1:], strict=False):
            self.add_module(f"{name}_lif", LIF(spare=True))
            self.add_module(f"{name}_conv", BinaryConv2d(inputs, outputs, 3, binary=config.binary))
            self.add_module(f"{name}_bn", Norm2d(outputs))

    def forward(self, x: Tensor, trace: Trace | None = None, path: str = "patch_embed") -> Tensor:
        """Residual stream of normalised images."""
        first = self.names[0]
        conv, bn = getattr(self, f"{first}_conv"), getattr(self, f"{first}_bn")
        frames = x.unsqueeze(0) if x.ndim == 4 else x.transpose(0, 1)  # one frame: computed once
        images = frames.flatten(0, 1)
        y = bn(channels_last(conv(images)))
        if self.rounding is not None:
            y = self.rounding(images, y)
        y = y.unflatten(0, frames.shape[:2])
        for name in self.names[1:]:
            s = self.spikes(f"{name}_lif", y, trace, path, self.steps)
            if name in self.pooled:
                s = pooled(s)
            y = getattr(self, f"{name}_bn")(getattr(self, f"{name}_conv")(s.flatten(0, 1)))
            y = y.unflatten(0, s.shape[:2])
        return y


class Attention(_Traced):
    """Spiking self-attention with a 1-bit map; (T, B, D, H, W) to the same shape.

    In a full-precision counterpart the map is the counts themselves.
    """

    def __init__(self, config: BestformerConfig):
        super().__init__()
        d = config.embed_dim
        self.heads, self.order, self.similarity, self.binary = (
            config.heads,
            config.attention,
            config.similarity,
            config.binary,
        )
        self.rounding: AffineRounding | None = None  #: Of A v times its scale.
        self.lambda_attn = nn.Parameter(torch.ones(config.steps, 1, config.heads, 1, 1))
        self.proj_lif = LIF()
        for name in "qkv":
            self.add_module(f"{name}_conv", BinaryConv1d(d, d, binary=config.binary))
            self.add_module(f"{name}_bn", Norm1d(d))
            self.add_module(f"{name}_lif", LIF(spare=True))
        self.attn_lif0 = LIF(config.map_theta, soft=True, spare=True)
        self.attn_lif = LIF(ATTENTION_THETA, spare=True)
        self.proj_conv = BinaryConv1d(d, d, binary=config.binary)
        self.proj_bn = Norm1d(d)

    def _spikes(self, name: str, x: Tensor, trace: Trace | None, path: str) -> Tensor:
        """As `spikes`, of (T, B, N, D), whose trace is (T, B, D, N)."""
        s = self.spikes(name, x, None, path)
        if trace is not None:
            trace[f"{path}.{name}"] = s.detach().mT
        return s

    def _map(self, counts: Tensor, trace: Trace | None, path: str) -> Tensor:
        """The attention map."""
        return self.spikes("attn_lif0", counts, trace, path) if self.binary else counts

    def forward(self, x: Tensor, trace: Trace | None = None, path: str = "attn") -> Tensor:
        """What attention adds to the stream ``x``."""
        s = self.spikes("proj_lif", x, trace, path).flatten(3).mT  # (T, B, N, D)
        operands = []
        for name in "qkv":
            y = getattr(self, f"{name}_bn")(getattr(self, f"{name}_conv")(s))
            y = self._spikes(f"{name}_lif", y, trace, path)
            y = y.unflatten(3, (self.heads, -1)).transpose(2, 3).contiguous()  # (T, B, H, N, d)
            operands.append(y)
        q, k, v = operands
        if self.order == "qk":
            counts = q @ k.mT  # (T, B, H, N, N), [query, key]
            if self.similarity == "xnor":  # both one, or both zero
                counts = counts + (1.0 - q) @ (1.0 - k).mT
            sums = self._map(counts, trace, path) @ v  # (T, B, H, N, d): over keys
        else:
            bits = self._map(k.mT @ v, trace, path)  # (T, B, H, d, d), [k, v]
            sums = q @ bits  # (T, B, H, N, d): over k channels
        o = sums * (ATTENTION_SCALE * self.lambda_attn)
        if self.rounding is not None:
            o = self.rounding(sums, o)
        o = self._spikes("attn_lif", o.transpose(2, 3).flatten(3), trace, path)
        y = self.proj_bn(self.proj_conv(o))
        return y.mT.unflatten(3, x.shape[3:])


class MLP(_Traced):
    """Two binary 1x1 layers, each behind a neuron; (T, B, D, H, W) to the same shape."""

    def __init__(self, config: BestformerConfig):
        super().__init__()
        d = config.embed_dim
        hidden = config.mlp_ratio * d
        self.mlp1_lif = LIF()
        self.mlp1_conv = BinaryConv2d(d, hidden, 1, binary=config.binary)
        self.mlp1_bn = Norm2d(hidden)
        self.mlp2_lif = LIF(spare=True)
        self.mlp2_conv = BinaryConv2d(hidden, d, 1, binary=config.binary)
        self.mlp2_bn = Norm2d(d)

    def forward(self, x: Tensor, trace: Trace | None = None, path: str = "mlp") -> Tensor:
        """What the MLP adds to the stream ``x``."""
        for number in "12":
            s = self.spikes(f"mlp{number}_lif", x, trace, path)
            conv, bn = getattr(self, f"mlp{number}_conv"), getattr(self, f"mlp{number}_bn")
            x = bn(conv(s.flatten(0, 1))).unflatten(0, s.shape[:2])
        return x


class Block(Summing):
    """One block: (x0, x1) to (x2, x3); x0 is None before the first.

    Reversible, the two streams stay apart and each half of the block adds to a mean of both;
    otherwise x0 plays no part and x3 is the one stream.
    """

    def __init__(self, config: BestformerConfig):
        super().__init__()
        self.reversible = config.reversible
        self.attn = Attention(config)
        self.mlp = MLP(config)

    def _add(self, branch: Tensor, *streams: Tensor) -> Tensor:
        """``branch`` plus the mean of ``streams``."""
        if self.rounding is not None:
            return self.rounding(branch, *streams)
        if len(streams) == 1:
            return branch + streams[0]
        return torch.add(branch, streams[0] + streams[1], alpha=0.5)

    def forward(
        self, x0: Tensor | None, x1: Tensor, trace: Trace | None = None, path: str = "block"
    ) -> tuple[Tensor, Tensor]:
        """The next pair of residual streams."""
        streams = (x1,) if x0 is None or not self.reversible else (x0, x1)
        x2 = self._add(self.attn(x1, trace, f"{path}.attn"), *streams)
        branch = self.mlp(x2, trace, f"{path}.mlp")
        return x2, self._add(branch, *((x1, x2) if self.reversible else (x2,)))


class Bestformer(Network):
    """The whole network.

    Parameters
    ----------
    config : BestformerConfig
        Every size and mode.
    """

    title = "BESTformer"
    config: BestformerConfig

    def __init__(self, config: BestformerConfig):
        super().__init__(config)
        self.patch_embed = Tokenizer(config)
        self.block = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.head = nn.Linear(config.embed_dim, config.classes)
        if config.reversible:
            self.head2 = nn.Linear(config.embed_dim, config.classes)

    def give_pixels(self, rounding: PixelRounding) -> None:
        """Compute the first convolution by ``rounding`` from now on."""
        self.patch_embed.rounding = rounding

    def forward(self, x: Tensor, trace: Trace | None = None) -> tuple[Tensor, ...]:
        """Logits of both heads, or of the one if the network is not reversible.

        The prediction is the class of their mean (`mean_logits`).

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
            Logits (B, classes) of ``head`` on x2 and of ``head2`` on x3 of the last pair;
            not reversible, of ``head`` on the one stream.
        """
        self.check_images(x)
        x0, x1 = None, self.patch_embed(x, trace)
        for i, block in enumerate(self.block):
            x0, x1 = block(x0, x1, trace, f"block.{i}")
        assert x0 is not None
        if not self.config.reversible:
            return (self.head(x1.mean((0, 3, 4))),)
        features = [y.mean((3, 4)).mean(0) for y in (x0, x1)]
        return self.head(features[0]), self.head2(features[1])

    def mean_logits(
        self, x: Tensor, trace: Trace | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Mean of the heads' logits, (B, classes); arguments as in `forward`."""
        assert lengths is None  # the family has no streams
        logits = self(x, trace)
        return reduce(torch.add, logits) / len(logits)
