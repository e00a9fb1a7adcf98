"""Training through the integer network's rounding.

`Hardware` lowers the network in training and gives each of its modules the integers that the
hardware would compute with, so that every spike and residual of the forward pass is the golden
model's, bit for bit, while gradients pass as if nothing had been rounded. Only the logits stay
real: heads of eight bits were measured to cost nothing.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hw.common.errors import SpikeloomError
from sw import families
from sw import graph as g
from sw.families.settings import Settings
from sw.lower import lower
from sw.lower.search import FRAC_BITS, MIN_FRAC_BITS
from sw.network import AttentionApply, BinaryLayer, IntegerNetwork, Neuron, PixelConv
from sw.nn.network import Network, Summing
from sw.nn.norm import Norm1d, Norm2d
from sw.nn.rounding import AffineRounding, PixelRounding, Rounding, SumRounding
from sw.train.checkpoint import own_tensors

EMPTY = Path("network in training")  #: Stands for the file in messages.


def float_graph(model: Network) -> g.FloatNetwork:
    """The float graph of a torch model, as ``sw.load`` would read it from its checkpoint.

    Raises
    ------
    SpikeloomError
        If the model is one that hardware is not made for, or a weight has no sign.
    """
    config = model.config
    if config.no_hardware is not None:
        raise SpikeloomError(config.no_hardware)
    state = {name: tensor.detach().cpu().numpy() for name, tensor in own_tensors(model).items()}
    settings = Settings.merge(EMPTY, config.to_json())
    return families.of_config(config).read(EMPTY, state, settings, name="network", meta={})


class Hardware:
    """Gives a model the rounding of its integer network, and takes it away.

    Parameters
    ----------
    model : Network
        Whose BatchNorms run on their stored statistics from now on.
    calibration : ndarray
        uint8 (B, C, H, W) or (B, T, C, H, W): images on which the fraction bits are settled; of a
        stream its frames count as images.
    """

    def __init__(self, model: Network, calibration: np.ndarray):
        self.model = model
        net = float_graph(model)
        if net.stream:
            calibration = calibration.reshape(-1, *calibration.shape[-3:])[: len(calibration)]
        self.per_step = calibration.ndim == 5
        lowered = lower(net, calibration, zero_weights="plus")
        self.frac_bits = lowered.frac_bits
        self.refresh()

    def refresh(self) -> IntegerNetwork:
        """Lower the model as it is now; fewer fraction bits where scales have grown."""
        net = float_graph(self.model)
        c = self.model.config
        # a weight may pass through its filter's mean; at the end `Learner.signed` sees to those
        options: dict[str, Any] = {
            "size": (c.height, c.width),
            "per_step": self.per_step,
            "zero_weights": "plus",
        }
        while True:
            try:
                network = lower(net, frac_bits=min(self.frac_bits, FRAC_BITS), **options)
                break
            except SpikeloomError:
                if self.frac_bits <= MIN_FRAC_BITS:
                    raise
                self.frac_bits -= 1
        _attach(self.model, net, network)
        return network

    def remove(self) -> None:
        """Compute in float again."""
        for module in self.model.modules():
            if getattr(module, "rounding", None) is not None:
                module.rounding = None  # type: ignore[assignment]


def _attach(model: Network, net: g.FloatNetwork, network: IntegerNetwork) -> None:
    """Give every module of ``model`` its part of ``network``."""
    device = next(model.parameters()).device
    units = network.meta.get("units", {})
    plain = 2.0**network.frac_bits

    def tensor(values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values), dtype=torch.float64, device=device)

    def one_of(neuron: Neuron | None, value: str) -> float:
        if neuron is not None and neuron.state is not None:
            stored: Any = model.get_submodule(neuron.name)  # knows the scale of its membranes
            return 2.0 * (2 ** (stored.bits - 1) - 1) * 2**neuron.state.shift / stored.alpha
        return units.get(value, plain)

    def neuron(found: Neuron | None, one: float) -> None:
        if found is not None:
            thresholds, shift = None, 0
            if found.state is not None:
                thresholds, shift = tensor(found.state.thresholds).float(), found.state.shift
            module: Any = model.get_submodule(found.name)
            module.rounding = Rounding(
                one=one, theta=found.theta, thresholds=thresholds, shift=shift
            )

    norms = {n.source: n.name for n in net.nodes if isinstance(n, g.BatchNorm)}
    for layer in network.layers:
        if isinstance(layer, PixelConv):
            one = one_of(layer.neuron, norms[layer.name])
            rounding = PixelRounding(
                weight=tensor(layer.weight),
                bias=tensor(layer.bias)[:, None, None],
                shift=layer.shift,
                pixel_shift=layer.pixel_shift,
                centre=tensor(layer.centre)[:, None, None],
                padding=layer.padding,
                stride=layer.stride,
                one=one,
                mean=model._mean,
                std=model._std,
            )
            model.give_pixels(rounding)
            neuron(layer.neuron, one)
        elif isinstance(layer, BinaryLayer):
            one = one_of(layer.neuron, layer.residual.output if layer.residual else "")
            conv: Any = model.get_submodule(layer.name)
            norm: Any = model.get_submodule(norms[layer.name])
            shape = (-1,) if isinstance(norm, Norm1d) else (-1, 1, 1)
            assert isinstance(norm, Norm1d | Norm2d)
            scale, offset = (
                part.view(shape) if isinstance(part, Tensor) else part
                for part in conv.scale_and_offset()
            )
            norm.rounding = AffineRounding(
                factor=tensor(layer.affine.factor).view(shape),
                bias=tensor(layer.affine.bias).view(shape),
                shift=layer.affine.shift,
                one=one,
                scale=scale / layer.pool**2,
                offset=offset,
            )
            neuron(layer.neuron, one)
        elif isinstance(layer, AttentionApply):
            attention: Any = model.get_submodule(layer.neuron.name.rpartition(".")[0])
            attention.rounding = AffineRounding(
                factor=tensor(layer.affine.factor)[:, None, :, None, None],
                bias=tensor(layer.affine.bias)[:, None, :, None, None],
                shift=layer.affine.shift,
                one=plain,
            )
            neuron(layer.neuron, plain)
    for module in model.modules():
        if isinstance(module, Summing):  # neurons that read sums have theirs by now
            module.rounding = SumRounding(one=module.sum_units(plain))
