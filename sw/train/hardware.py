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
from torch import Tensor, nn

from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.families.bestformer import reader as bestformer
from sw.families.bestformer.model import Attention, Bestformer, Block
from sw.families.qsnn import reader as qsnn
from sw.families.qsnn.layers import magnitude, standardise
from sw.families.qsnn.model import BasicBlock, Qsnn
from sw.families.settings import Settings
from sw.lower.lower import FRAC_BITS, MIN_FRAC_BITS
from sw.network import AttentionApply, BinaryLayer, IntegerNetwork, Neuron, PixelConv
from sw.nn.norm import Norm1d, Norm2d
from sw.nn.rounding import AffineRounding, PixelRounding, Rounding, SumRounding
from sw.train.checkpoint import own_tensors

EMPTY = Path("network in training")  #: Stands for the file in messages.


def float_graph(model: Bestformer | Qsnn) -> g.FloatNetwork:
    """The float graph of a torch model, as ``sw.load`` would read it from its checkpoint.

    Raises
    ------
    SpikeloomError
        If the model is one that hardware is not made for, or a weight has no sign.
    """
    config = model.config
    if isinstance(model, Bestformer) and not (model.config.binary and model.config.reversible):
        raise SpikeloomError(
            "Only reversible networks of binary weights become hardware; leave out "
            "--no-binary and --no-reversible, or give --rounded 0"
        )
    if isinstance(model, Qsnn) and not model.config.regulated:
        raise SpikeloomError(
            "Only networks of standardised weights become hardware; leave out --no-regulated, or "
            "give --rounded 0"
        )
    if isinstance(model, Qsnn) and model.config.alpha is None:
        raise SpikeloomError(
            "The scale of stored membranes is the batch's maximum, which no chip knows; train "
            "with --alpha 1, or give --rounded 0"
        )
    state = {name: tensor.detach().cpu().numpy() for name, tensor in own_tensors(model).items()}
    family = bestformer if isinstance(model, Bestformer) else qsnn
    settings = Settings.merge(EMPTY, config.to_json())
    return family.read(EMPTY, state, settings, name="network", meta={})


class Hardware:
    """Gives a model the rounding of its integer network, and takes it away.

    Parameters
    ----------
    model : Bestformer or Qsnn
        Whose BatchNorms run on their stored statistics from now on.
    calibration : ndarray
        uint8 (B, C, H, W) or (B, T, C, H, W): images on which the fraction bits are settled.
    """

    def __init__(self, model: Bestformer | Qsnn, calibration: np.ndarray):
        self.model = model
        self.per_step = calibration.ndim == 5
        lowered = float_graph(model).lower(calibration, zero_weights="plus")
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
                network = net.lower(frac_bits=min(self.frac_bits, FRAC_BITS), **options)
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


def _attach(model: Bestformer | Qsnn, net: g.FloatNetwork, network: IntegerNetwork) -> None:
    """Give every module of ``model`` its part of ``network``."""
    device = next(model.parameters()).device
    units = network.meta.get("units", {})
    plain = 2.0**network.frac_bits

    def tensor(values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values), dtype=torch.float64, device=device)

    def one_of(neuron: Neuron | None, value: str) -> float:
        if neuron is not None and neuron.state is not None:
            bits, alpha = _state(model)
            return 2.0 * (2 ** (bits - 1) - 1) * 2**neuron.state.shift / alpha
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
            place: Any = model.patch_embed if isinstance(model, Bestformer) else model
            place.rounding = PixelRounding(
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
            neuron(layer.neuron, one)
        elif isinstance(layer, BinaryLayer):
            one = one_of(layer.neuron, layer.residual.output if layer.residual else "")
            conv: Any = model.get_submodule(layer.name)
            norm: Any = model.get_submodule(norms[layer.name])
            shape = (-1,) if isinstance(norm, Norm1d) else (-1, 1, 1)
            assert isinstance(norm, Norm1d | Norm2d)
            scale: Tensor | float = 1.0
            offset: Tensor | float = 0.0
            if isinstance(model, Qsnn):
                with torch.no_grad():
                    power = torch.exp2(torch.round(magnitude(standardise(conv.weight))))
                scale = power.double().view(shape) / layer.pool**2
                if conv.bias is not None:
                    offset = conv.bias.detach().double().view(shape)
            norm.rounding = AffineRounding(
                factor=tensor(layer.affine.factor).view(shape),
                bias=tensor(layer.affine.bias).view(shape),
                shift=layer.affine.shift,
                one=one,
                scale=scale,
                offset=offset,
            )
            neuron(layer.neuron, one)
        elif isinstance(layer, AttentionApply):
            attention: Any = model.get_submodule(layer.neuron.name.rpartition(".")[0])
            assert isinstance(attention, Attention)
            attention.rounding = AffineRounding(
                factor=tensor(layer.affine.factor)[:, None, :, None, None],
                bias=tensor(layer.affine.bias)[:, None, :, None, None],
                shift=layer.affine.shift,
                one=plain,
            )
            neuron(layer.neuron, plain)
    _attach_sums(model, plain)


def _attach_sums(model: Bestformer | Qsnn, plain: float) -> None:
    """Give sums their units, and neurons that read sums theirs."""
    for module in model.modules():
        if isinstance(module, Block):
            module.rounding = SumRounding(one=plain)
        elif isinstance(module, BasicBlock):
            assert module.lif2.rounding is not None
            module.rounding = SumRounding(one=module.lif2.rounding.one)


def _state(model: nn.Module) -> tuple[int, float]:
    """Bits and alpha of a Q-SNN's stored membranes."""
    assert isinstance(model, Qsnn)
    assert model.config.alpha is not None
    return model.config.membrane_bits, model.config.alpha
