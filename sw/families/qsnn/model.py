"""Q-SNN: binary weights and membranes of few bits; ResNet-19, ResNet-18 and VGG nets.

Module names, and with them the state dict's keys, are those of the authors' code, aliases
included: a residual net holds each convolution and BatchNorm under several. T, B are time steps
and batch; the regularisers of WS-DR are the standardised weights (`binarise`) and `rate_loss`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sw.families.qsnn.config import RATE_WEIGHT, QsnnConfig
from sw.families.qsnn.layers import (
    QuantConv2d,
    QuantLinear,
    ScaledBinaryConv2d,
    sharpness,
)
from sw.families.qsnn.neurons import QuantLIF
from sw.nn.network import Network, Summing, Trace
from sw.nn.norm import Norm2d
from sw.nn.rounding import PixelRounding


class OverTime(nn.Module):
    """A module applied to every step of (T, B, ...)."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (T, B, ...)."""
        return self.module(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class StepBatchNorm(nn.Module):
    """BatchNorm over steps and images; ``bn`` and ``seqbn.module`` are one."""

    def __init__(self, width: int):
        super().__init__()
        self.bn = Norm2d(width)
        self.seqbn = OverTime(self.bn)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised (T, B, C, H, W)."""
        return self.seqbn(x)


class StepLayer(nn.Module):
    """Convolution and BatchNorm over every step."""

    def __init__(self, conv: nn.Module, bn: StepBatchNorm):
        super().__init__()
        self.layer = OverTime(conv)
        self.bn = bn

    def forward(self, x: Tensor) -> Tensor:
        """Currents (T, B, C, H, W)."""
        return self.bn(self.layer(x))


class Head(nn.Module):
    """The last linear layer of a residual net."""

    def __init__(self, inputs: int, classes: int):
        super().__init__()
        self.ops = QuantLinear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (T, B, classes) of (T, B, inputs)."""
        return self.ops(x)


class BasicBlock(Summing):
    """Two binary 3x3 convolutions and a shortcut, which joins before the second neuron."""

    def __init__(self, config: QsnnConfig, inputs: int, outputs: int, stride: int):
        super().__init__()
        regulated = config.regulated
        self.conv1 = ScaledBinaryConv2d(inputs, outputs, 3, stride, regulated=regulated)
        self.bn1 = StepBatchNorm(outputs)
        self.conv1_s = StepLayer(self.conv1, self.bn1)
        self.lif1 = QuantLIF(config.membrane_bits, config.alpha)
        self.conv2 = ScaledBinaryConv2d(outputs, outputs, 3, regulated=regulated)
        self.bn2 = StepBatchNorm(outputs)
        self.conv2_s = StepLayer(self.conv2, self.bn2)
        self.lif2 = QuantLIF(config.membrane_bits, config.alpha)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            shortcut = ScaledBinaryConv2d(inputs, outputs, 1, stride, regulated=regulated)
            self.downsample = StepLayer(shortcut, StepBatchNorm(outputs))

    def forward(self, x: Tensor, trace: Trace, path: str) -> Tensor:
        """Spikes of spikes (T, B, C, H, W)."""
        s = trace[f"{path}.lif1"] = self.lif1(self.conv1_s(x))
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.conv2_s(s)
        y = y + shortcut if self.rounding is None else self.rounding(y, shortcut)
        s = trace[f"{path}.lif2"] = self.lif2(y)
        return s

    def sum_units(self, plain: float) -> float:
        """Units per 1.0 of its sums: those of the neuron that reads them."""
        assert self.lif2.rounding is not None
        return self.lif2.rounding.one


class VggLayer(nn.Module):
    """Convolution, BatchNorm and neuron of a VGG net; the first reads the image at 8 bits."""

    def __init__(self, config: QsnnConfig, number: int):
        super().__init__()
        outputs, stride = config.widths[number], config.strides[number]
        if number:
            inputs = config.widths[number - 1]
            conv: nn.Module = ScaledBinaryConv2d(
                inputs, outputs, config.kernel, stride, bias=True, regulated=config.regulated
            )
        else:
            conv = QuantConv2d(config.channels, outputs, config.kernel, stride)
        self.fwd = OverTime(nn.Sequential(conv, Norm2d(outputs)))
        self.act = QuantLIF(config.membrane_bits, config.alpha)

    def forward(self, x: Tensor) -> Tensor:
        """Currents (T, B, C, H, W)."""
        return self.fwd(x)


class Qsnn(Network):
    """The whole network.

    Parameters
    ----------
    config : QsnnConfig
        Every size and mode.
    """

    title = "Q-SNN"
    config: QsnnConfig

    def __init__(self, config: QsnnConfig):
        super().__init__(config)
        self.rounding: PixelRounding | None = None  #: Of the first convolution.
        if config.net == "resnet":
            self._residual()
        else:
            self._vgg()

    def _residual(self) -> None:
        config = self.config
        width = config.widths[0]
        self.conv1 = QuantConv2d(config.channels, width, config.stem, 2 if config.stem == 7 else 1)
        self.bn1 = StepBatchNorm(width)
        self.conv1_s = StepLayer(self.conv1, self.bn1)
        self.lif1 = QuantLIF(config.membrane_bits, config.alpha)
        for stage, (out, count) in enumerate(zip(config.widths, config.blocks, strict=True), 1):
            blocks = nn.ModuleList()
            for block in range(count):
                stride = 2 if stage > 1 and block == 0 else 1
                blocks.append(BasicBlock(config, width, out, stride))
                width = out
            self.add_module(f"layer{stage}", blocks)
        self.fc = Head(width, config.classes)

    def _vgg(self) -> None:
        config = self.config
        layers = nn.Sequential()
        for number in range(len(config.widths)):
            if number in config.halve and config.downsampling == "pool":
                layers.append(OverTime(nn.AvgPool2d(2)))
            layers.append(VggLayer(config, number))
        self.features = layers
        rows, columns = config.grid
        self.classifier = OverTime(QuantLinear(config.widths[-1] * rows * columns, config.classes))

    def give_pixels(self, rounding: PixelRounding) -> None:
        """Compute the first convolution by ``rounding`` from now on."""
        self.rounding = rounding

    def anneal(self, progress: float) -> None:
        """Sharpen the sign's gradient; ``progress`` grows from 0 to 1 over the training."""
        for module in self.modules():
            if isinstance(module, ScaledBinaryConv2d):
                module.t = sharpness(progress)

    def forward(self, x: Tensor, trace: Trace | None = None) -> Tensor:
        """Logits of every step, (T, B, classes); the prediction is the class of `mean_logits`.

        Parameters
        ----------
        x : Tensor
            Normalised images, (B, C, H, W) shown at every step or (B, T, C, H, W).
        trace : dict, optional
            Receives every neuron's spikes, not detached, under its module path.
        """
        self.check_images(x)
        trace = {} if trace is None else trace
        frames = x.unsqueeze(0) if x.ndim == 4 else x.transpose(0, 1)  # one frame: computed once
        if self.config.net == "resnet":
            return self._run_residual(frames, trace)
        return self._run_vgg(frames, trace)

    def mean_logits(
        self, x: Tensor, trace: Trace | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Mean of the logits of all steps that count, (B, classes); arguments as in `forward`."""
        return mean_steps(self(x, trace), lengths)

    def _first(self, frames: Tensor, currents: Tensor) -> Tensor:
        """Currents of the first layer, rounded where the network is."""
        if self.rounding is None:
            return currents
        rounded = self.rounding(frames.flatten(0, 1), currents.flatten(0, 1))
        return rounded.unflatten(0, currents.shape[:2])

    def _run_residual(self, frames: Tensor, trace: Trace) -> Tensor:
        x = self._first(frames, self.conv1_s(frames))
        x = trace["lif1"] = self.lif1(x, self.config.steps)
        if self.config.stem == 7:
            x = F.max_pool2d(x.flatten(0, 1), 3, 2, 1).unflatten(0, x.shape[:2])
        for stage in range(1, len(self.config.widths) + 1):
            for number, block in enumerate(self.get_submodule(f"layer{stage}").children()):
                x = block(x, trace, f"layer{stage}.{number}")
        return self.fc(x.mean((3, 4)))

    def _run_vgg(self, frames: Tensor, trace: Trace) -> Tensor:
        x = frames
        for name, layer in self.features.named_children():
            if not isinstance(layer, VggLayer):
                x = layer(x)
                continue
            y = layer(x)
            if x is frames:
                y = self._first(frames, y)
            x = trace[f"features.{name}.act"] = layer.act(y, self.config.steps)
        return self.classifier(x.flatten(2))


def mean_steps(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean of ``values`` (T, B, ...) over all steps, or over the first ``lengths`` (B,) of each."""
    if lengths is None:
        return values.mean(0)
    steps = torch.arange(len(values), device=values.device)
    counts = (steps[:, None] < lengths).view(*values.shape[:2], *[1] * (values.ndim - 2))
    return (values * counts).sum(0) / counts.sum(0)


def rate_loss(trace: Trace) -> Tensor:
    """Mean over the layers of (firing rate - 0.5)^2, of a trace that `Qsnn.forward` filled."""
    return torch.stack([(spikes.mean() - 0.5) ** 2 for spikes in trace.values()]).mean()


def loss(
    logits: Tensor,
    labels: Tensor,
    trace: Trace,
    rate_weight: float = RATE_WEIGHT,
    *,
    lengths: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy averaged over steps, plus ``rate_weight`` of `rate_loss`.

    Parameters
    ----------
    logits : Tensor
        Of every step, (T, B, classes).
    labels : Tensor
        Classes, (B,).
    trace : dict
        Spikes of all neurons.
    rate_weight : float
        Share of the spike-rate loss.
    lengths : Tensor, optional
        Steps of each image that count, the first ones, (B,); all where it is not given.
    label_smoothing : float
        Of the cross-entropy, 0 up to below 1.
    """
    entropy = F.cross_entropy(
        logits.flatten(0, 1),
        labels.repeat(len(logits)),
        label_smoothing=label_smoothing,
        reduction="mean" if lengths is None else "none",
    )
    if lengths is not None:
        entropy = mean_steps(entropy.unflatten(0, logits.shape[:2]), lengths).mean()
    return entropy + rate_weight * rate_loss(trace)
