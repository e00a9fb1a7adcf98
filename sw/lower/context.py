"""What a pattern may ask and note while a float graph becomes integer layers."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import numpy as np

from hw.arch.formats import MEMBRANE_MAX
from hw.common.errors import SpikeloomError
from sw import graph as g
from sw.lower import quantise
from sw.lower.units import Units, spike_tensors, stored_tensors
from sw.network import Layer, Neuron

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


class Context:
    """One pass over a graph with the fraction bits and state shifts settled.

    Attributes
    ----------
    net, options, frac_bits
        The graph, what the user chose, and the fraction bits of membranes.
    steps : int
        T; 1 of a stream.
    consumers, nodes : dict
        Tensor to the nodes that read it; name to node.
    spikes, stored : frozenset of str
        Tensors of 0 and 1; real-valued tensors that more than the next neuron reads.
    units : Units
        Units per 1.0 of real-valued tensors.
    space, widths : dict
        (H, W) and channels of the tensors that layers write; see ``put``.
    layers : list of Layer
        The network so far.
    done : set of str
        Nodes that layers stand for.
    means : dict
        Name of a mean to the real value of one step of it.
    dead : dict
        Convolution to its dead channels.
    maps : dict
        Map's neuron to what is told of its format.
    """

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
        self.layers: list[Layer] = []
        self.done: set[str] = set()
        self.means: dict[str, float] = {}
        self.dead: dict[str, list[int]] = {}
        self.maps: dict[str, dict] = {}

    def fail(self, node, text: str, cure: str = CURE) -> NoReturn:
        """Refuse the network for the sake of ``node``."""
        raise SpikeloomError(f"{self.net.name}: {node.name} cannot be lowered: {text}; {cure}")

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

    def folded(self, node: g.Conv) -> tuple[g.BatchNorm, np.ndarray, np.ndarray]:
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

    def dead_channels(
        self, node: g.Conv, bn: g.BatchNorm, count: np.ndarray | float, one: float
    ) -> quantise.Rest | None:
        """Dead channels of a convolution, which rest at BatchNorm's bias; ``count``: see DEAD."""
        mask = np.sqrt(bn.var.astype(np.float64)) < DEAD * np.abs(count)
        if not mask.any():
            return None
        self.dead[node.name] = np.flatnonzero(mask).tolist()
        most = 2 * MEMBRANE_MAX / one  # x saturates long before
        return quantise.Rest(mask=mask, level=np.clip(bn.bias.astype(np.float64), -most, most))
