"""One pass over a float graph that makes the integer layers, node pattern by node pattern."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import numpy as np

from hw.arch.formats import MEMBRANE_MAX
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower import attention, heads, quantise
from sw.lower.units import Units, spike_tensors, stored_tensors, summands
from sw.network import (
    BinaryLayer,
    Head,
    IntegerNetwork,
    Neuron,
    PixelConv,
    Residual,
    Shortcut,
    SpikePool,
)

#: A channel is dead where the deviation of its filter's output, as BatchNorm knows it, is less
#: than this share of one count of spikes, or of the norm of a filter on pixels.
DEAD = 1 / 30
MAX_PIXEL_KERNEL = 7
CURE = "run it in float, or use a network of a supported family"
Kind = TypeVar("Kind")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user chose, checked."""

    height: int
    width: int
    per_step: bool
    stream: bool
    zero_weights: str
    pixel_weight_bits: int | None
    head_weight_bits: int


class Walk:
    """One pass over a graph with the fraction bits and state shifts settled."""

    def __init__(
        self, net: g.FloatNetwork, options: Options, frac_bits: int, shifts: Mapping[str, int]
    ):
        self.net, self.options, self.frac_bits = net, options, frac_bits
        self.steps = 1 if options.stream else net.steps
        self.consumers = net.consumers()
        self.nodes = {node.name: node for node in net.nodes}
        self.spikes, self.stored = spike_tensors(net), stored_tensors(net)
        self.units = Units(net, frac_bits, shifts, self.fail)
        self.space: dict[str, tuple[int, int]] = {g.IMAGE: (options.height, options.width)}
        self.widths: dict[str, int] = {}
        self.layers: list = []
        self.done: set[str] = set()  # nodes that layers stand for
        self.means: dict[str, float] = {}  # name of a mean -> real value of one step of it
        self.pixel: PixelConv | None = None
        self.dead: dict[str, list[int]] = {}  # convolution -> channels
        self.zeros: list[str] = []
        self.maps: dict[str, dict] = {}

    def network(self, note: dict) -> IntegerNetwork:
        """The integer network; ``note`` goes to ``meta["frac_bits"]``."""
        self._check_zeros()
        for node in self.net.nodes:
            match node:
                case g.LIF() if node.source == g.IMAGE:
                    self.fail(node, "a neuron reads the image; the first layer is a convolution")
                case g.Conv():
                    self._conv(node)
                case g.Add():
                    self._add(node)
                case g.MaxPool():
                    self._pool(node)
                case g.AveragePool():
                    self._average_pool(node)
                case g.Similarity():
                    attention.similarity(self, node)
                case g.Apply():
                    attention.apply(self, node)
                case g.MeanTokens() if node.source not in self.spikes:
                    heads.mean(self, node)
                case g.HeadAverage():
                    heads.logits(self, node, node.sources)
                case g.MeanSteps():
                    heads.logits(self, node, (node.source,))
        for node in self.net.nodes:
            known = isinstance(node, g.Average | g.MeanTokens | g.Flatten | g.Linear)
            if node.name not in self.done and not known:
                self.fail(node, "no layer of the hardware does this here")
        if not self.layers or not isinstance(self.layers[-1], Head):
            self.fail(self.net.nodes[-1], "a network ends in its logits")
        options = self.options
        meta = {
            **self.net.meta,
            "frac_bits": {"bits": self.frac_bits, **note},
            "pixel_weight_bits": self.pixel.weight_bits if self.pixel else 0,
            "head_weight_bits": self.layers[-1].weight_bits,
            "attention_maps": self.maps,
        }
        outputs = (la.residual.output for la in self.layers if getattr(la, "residual", None))
        units = {name: self.units.one(name) for name in outputs}
        units = {name: one for name, one in units.items() if one != 2.0**self.frac_bits}
        if units:
            meta["units"] = units
        if self.pixel:
            meta["pixel_shift"] = self.pixel.pixel_shift
        if self.dead:
            meta["dead_channels"] = self.dead
        if self.zeros:
            meta["zero_weights"] = f"{options.zero_weights}: {'; '.join(self.zeros)}"
        return IntegerNetwork(
            name=self.net.name,
            steps=self.steps,
            channels=self.net.channels,
            height=options.height,
            width=options.width,
            classes=self.net.classes,
            frac_bits=self.frac_bits,
            layers=tuple(self.layers),
            per_step_input=options.per_step,
            stream=options.stream,
            meta=meta,
        )

    def fail(self, node, text: str, cure: str = CURE) -> NoReturn:
        """Refuse the network for the sake of ``node``."""
        raise SpikeloomError(f"{self.net.name}: {node.name} cannot be lowered: {text}; {cure}")

    def _check_zeros(self) -> None:
        for node in self.net.nodes:
            if isinstance(node, g.Conv) and node.binary:
                zeros = int((g.binarise(node.weight) == 0).sum())
                if zeros:
                    self.zeros.append(f"{node.name} has {zeros} of {node.weight.size}")
        if self.zeros and self.options.zero_weights == "refuse":
            raise SpikeloomError(
                f"{self.net.name}: weights equal to their filter's mean have sign 0, which one "
                f"bit cannot hold: {'; '.join(self.zeros)}; lower with zero_weights='plus' or "
                "'minus' (--zero-weights plus|minus), or train on"
            )

    def only(self, name: str, kind: type[Kind]) -> Kind | None:
        """The only consumer of tensor ``name``, if it is a ``kind``, else None."""
        readers = self.consumers.get(name, [])
        if len(readers) == 1 and isinstance(readers[0], kind):
            return readers[0]
        return None

    @contextlib.contextmanager
    def in_group(self, tensor: str) -> Iterator[None]:
        """Mark scales that do not fit as those of a tensor with a state shift to choose."""
        try:
            yield
        except quantise.DoesNotFitError as error:
            if not self.units.plain(tensor):
                error.group = self.units.groups[tensor].key
            raise

    def neuron(self, node: g.LIF) -> Neuron:
        """The integer neuron of ``node``."""
        if self.options.stream and node.state_bits is None:
            self.fail(node, "a stream needs neurons whose state is quantised (state_bits)")
        self.done.add(node.name)
        return self.units.neuron(node)

    def put(self, name: str, channels: int, space: tuple[int, int]) -> None:
        """Note a tensor that layers write."""
        self.done.add(name)
        self.widths[name], self.space[name] = channels, space

    def _folded(self, node: g.Conv) -> tuple[g.BatchNorm, np.ndarray, np.ndarray]:
        """The BatchNorm after a convolution and the affine of both."""
        bn = self.only(node.name, g.BatchNorm)
        if bn is None:
            self.fail(node, "a BatchNorm must follow, alone")
        kernel = node.padding * 2 + 1
        if node.weight.shape[2:] != (kernel, kernel) or node.stride not in (1, 2):
            self.fail(node, "only stride 1 or 2 with 'same' padding exists")
        largest = MAX_PIXEL_KERNEL if node.source == g.IMAGE else 3
        if kernel > largest:
            self.fail(node, f"its kernel is {kernel}x{kernel}, at most {largest}x{largest} fits")
        a, b = bn.folded()
        if node.bias is not None:
            b = b + a * node.bias
        if node.scale is not None:
            a = a * node.scale
        self.done |= {node.name, bn.name}
        return bn, a, b

    def _conv(self, node: g.Conv) -> None:
        if node.source == g.IMAGE:
            self._pixels(node)
            return
        if not node.binary:
            self.fail(node, "only the first convolution may have real weights")
        bn = self.only(node.name, g.BatchNorm)
        add = self.only(bn.name, g.Add) if bn is not None else None
        found = summands(self.net, add) if add is not None else None
        if bn is not None and found is not None and found[0] == bn.name:
            return  # computed where the sum is
        self._binary(node)

    def _add(self, node: g.Add) -> None:
        found = summands(self.net, node)
        conv = self.nodes[self.nodes[found[0]].source] if found else None  # type: ignore[union-attr]
        if found is None or not isinstance(conv, g.Conv) or not conv.binary:
            self.fail(node, "it must add to the BatchNorm of a binary convolution read by it alone")
        other = self.nodes.get(found[1])
        self.done.add(node.name)
        if found[1] in self.spikes:
            value = round(self.units.one(node.name))
            kept = Residual(output=node.name) if node.name in self.stored else None
            self._binary(conv, node, kept, Shortcut(source=found[1], value=value))
        elif isinstance(other, g.Average):
            self.done.add(other.name)
            inputs = (other.older, other.newer)
            self._binary(conv, node, Residual(output=node.name, inputs=inputs))
        elif isinstance(other, g.BatchNorm | g.Add):
            self._binary(conv, node, Residual(output=node.name, inputs=(found[1],)))
        else:
            self.fail(node, f"{found[1]} is neither spikes nor a sum of convolutions")

    def _pixels(self, node: g.Conv) -> None:
        """The first convolution."""
        bn, a, b = self._folded(node)
        lif = self.only(bn.name, g.LIF)
        if node.binary or lif is None:
            self.fail(node, "the first convolution must be real-valued and feed a neuron")
        weight = node.weight
        if node.weight_bits is not None:
            weight = g.quantise(weight, node.weight_bits)
        norm = np.sqrt((weight.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
        weight = weight.astype(np.float64) * a[:, None, None, None]
        one = self.units.one(bn.name)
        with self.in_group(bn.name):
            fields = quantise.pixel_conv(
                node.name,
                weight,
                b,
                self.net.mean,
                self.net.std,
                one,
                self.options.pixel_weight_bits,
                self._dead(node, bn, norm, one),
            )
        layer = PixelConv(
            name=node.name,
            padding=node.padding,
            stride=node.stride,
            neuron=self.neuron(lif),
            **fields,
        )
        self.pixel = layer
        self.layers.append(layer)
        h, w = self.space[g.IMAGE]
        self.put(lif.name, len(a), (-(-h // node.stride), -(-w // node.stride)))

    def _dead(
        self, node: g.Conv, bn: g.BatchNorm, count: np.ndarray | float, one: float
    ) -> quantise.Rest | None:
        """Dead channels of a convolution, which rest at BatchNorm's bias; ``count``: see DEAD."""
        mask = np.sqrt(bn.var.astype(np.float64)) < DEAD * np.abs(count)
        if not mask.any():
            return None
        self.dead[node.name] = np.flatnonzero(mask).tolist()
        most = 2 * MEMBRANE_MAX / one  # x saturates long before
        return quantise.Rest(mask=mask, level=np.clip(bn.bias.astype(np.float64), -most, most))

    def _sure(self, a: np.ndarray, lif: g.LIF, one: float) -> quantise.Rest:
        """Channels of which a single count of S fires the neuron, or not, by itself."""
        fires = 2.0 * lif.theta if lif.decay_input else lif.theta
        return quantise.Rest(mask=np.abs(a) >= fires, level=np.full(len(a), fires))

    def _binary(
        self,
        node: g.Conv,
        add: g.Add | None = None,
        residual: Residual | None = None,
        shortcut: Shortcut | None = None,
    ) -> None:
        """A binary convolution with what its lanes add."""
        bn, a, b = self._folded(node)
        value = bn.name if add is None else add.name
        if residual is None and value in self.stored:
            residual = Residual(output=value)
        readers = [n for n in self.consumers.get(value, []) if isinstance(n, g.LIF)]
        if len(readers) > 1 or not (readers or residual):
            self.fail(node, f"{value} must feed one neuron, not {len(readers)}")
        source, pool, largest = node.source, 1, math.prod(node.weight.shape[1:])
        pooled = self.nodes[source]
        if isinstance(pooled, g.AveragePool):
            if node.stride != 1:
                self.fail(node, f"it strides over the averages of {source}")
            source, pool, largest = pooled.source, 2, 4 * largest
            a = a / 4
        if source not in self.spikes:
            self.fail(node, f"it reads {source}, which holds no spikes")
        sign = g.binarise(node.weight)
        one = self.units.one(value)
        # What a code leaves of the membrane is exact, so the comparison can be, too.
        alone = not (residual and residual.inputs)
        exact = alone and readers and readers[0].state_bits and readers[0].strict
        above = readers[0].theta if exact else None
        count = (1.0 if node.scale is None else node.scale.astype(np.float64)) / pool**2
        # What is stored, or added to, must keep its size; a spike that is sure need not.
        plain = residual is None and shortcut is None and add is None
        with self.in_group(value):
            affine = quantise.affine(
                node.name,
                a,
                b,
                one,
                largest,
                above=above,
                dead=self._dead(node, bn, count, one),
                sure=self._sure(a, readers[0], one) if plain else None,
            )
        layer = BinaryLayer(
            name=node.name,
            source=source,
            weight=sign >= 0 if self.options.zero_weights == "plus" else sign > 0,
            affine=affine,
            residual=residual,
            neuron=self.neuron(readers[0]) if readers else None,
            stride=node.stride,
            pool=pool,
            shortcut=shortcut,
        )
        self.layers.append(layer)
        h, w = self.space[node.source]
        space = -(-h // node.stride), -(-w // node.stride)
        for name in (value, *(n.name for n in readers)):
            self.put(name, len(a), space)

    def _pool(self, node: g.MaxPool) -> None:
        if (node.size, node.stride, node.padding) != (3, 2, 1):
            self.fail(node, "only 3x3 pools of stride 2 and padding 1 exist")
        if node.source not in self.spikes:
            self.fail(node, f"only spikes are pooled, {node.source} holds none")
        h, w = self.space[node.source]
        self.put(node.name, self.widths[node.source], (-(-h // 2), -(-w // 2)))
        self.layers.append(SpikePool(name=node.name, source=node.source))

    def _average_pool(self, node: g.AveragePool) -> None:
        """Part of the binary convolutions that read it."""
        if node.size != 2 or node.source not in self.spikes:
            self.fail(node, "only averages of 2x2 spikes exist")
        readers = self.consumers.get(node.name, [])
        if not all(isinstance(n, g.Conv) and n.binary for n in readers):
            self.fail(node, "averages must be read by binary convolutions only")
        h, w = self.space[node.source]
        if min(h, w) < 2:
            self.fail(node, f"it pools {h}x{w} spikes to nothing; lower for larger images")
        self.put(node.name, self.widths[node.source], (h // 2, w // 2))
