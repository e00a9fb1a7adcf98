"""Units of real-valued tensors: integers per 1.0, settled by the neurons that read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from hw.arch.formats import STATE_BITS, STATE_SHIFTS, state_levels
from sw import graph as g
from sw.lower import quantise
from sw.network import Neuron, State

STATE_ONE = 1 << 13  #: Most units per 1.0 where membranes are stored as codes.


class Refuse(Protocol):
    """Raises: the node, what is wrong with it, and the cure if it is not the usual one."""

    def __call__(self, node: g.Node, text: str, cure: str = "") -> NoReturn: ...


def spike_tensors(net: g.FloatNetwork) -> frozenset[str]:
    """Names of tensors of 0 and 1: of neurons, and their maxima over windows."""
    names: set[str] = set()
    for node in net.nodes:
        if isinstance(node, g.LIF) or (isinstance(node, g.MaxPool) and node.source in names):
            names.add(node.name)
    return frozenset(names)


def summands(net: g.FloatNetwork, node: g.Add) -> tuple[str, str] | None:
    """The BatchNorm whose layer does the sum, which nothing else reads, and what it adds."""
    readers = net.consumers()
    norms = {n.name for n in net.nodes if isinstance(n, g.BatchNorm)}
    for branch, other in ((node.branch, node.stream), (node.stream, node.branch)):
        if branch in norms and readers[branch] == [node]:
            return branch, other
    return None


def stored_tensors(net: g.FloatNetwork) -> frozenset[str]:
    """Names of real-valued tensors that more than the next neuron reads: residuals."""
    kept: set[str] = set()
    for node in net.nodes:
        match node:
            case g.Add():
                kept |= set((summands(net, node) or g.sources(node))[1:])
            case g.Average():
                kept |= {node.older, node.newer}
            case g.MeanTokens() | g.Flatten():
                kept.add(node.source)
    averages = {node.name for node in net.nodes if isinstance(node, g.Average)}
    return frozenset(kept - averages - spike_tensors(net))


def state_unit(bits: int, alpha: float, shift: int) -> float:
    """Units per 1.0 with which half the stored membrane is ``code << shift``."""
    return 2.0 * state_levels(bits) * 2**shift / alpha


def state_shifts(bits: int, alpha: float) -> list[int]:
    """Shifts worth trying, finest first."""
    fits = [s for s in STATE_SHIFTS if state_unit(bits, alpha, s) <= STATE_ONE]
    return sorted(fits or [min(STATE_SHIFTS)], reverse=True)


@dataclass
class Group:
    """Real-valued tensors of one unit, and the neurons that read them."""

    key: str  #: The first tensor's name.
    neurons: list[g.LIF] = field(default_factory=list)

    @property
    def states(self) -> set[tuple[int | None, float | None]]:
        """Bits and alpha of the neurons' states."""
        return {(n.state_bits, n.alpha if n.state_bits else None) for n in self.neurons}


class Units:
    """Units of a graph's tensors, with the fraction bits and state shifts settled.

    Tensors that are added or averaged share their unit. Without stored codes it is
    ``2**frac_bits``, twice that for neurons whose input does not decay: (v + 2x) / 2.

    Parameters
    ----------
    shifts : state shift of groups (by key) for which the finest one does not fit.
    refuse : raises the error that a node cannot be lowered.
    """

    def __init__(
        self, net: g.FloatNetwork, frac_bits: int, shifts: Mapping[str, int], refuse: Refuse
    ):
        self.frac_bits, self.shifts, self.refuse = frac_bits, shifts, refuse
        self.groups = groups(net)

    def one(self, tensor: str) -> float:
        """Units per 1.0 of a real-valued tensor."""
        group = self.groups[tensor]
        for node in group.neurons:
            self._check(node)
        ones = {self._demand(group, node): node for node in group.neurons}
        if len(ones) > 1:
            *_, (_, last) = ones.items()
            self.refuse(last, "it shares its input with a neuron of another kind or state")
        return next(iter(ones), 2.0**self.frac_bits)

    def neuron(self, node: g.LIF) -> Neuron:
        """The integer neuron that reads its own group."""
        one = self.one(node.source)
        if node.state_bits is None:
            plain = 2.0**self.frac_bits  # of u, whatever the unit of x
            theta = quantise.threshold(node.name, node.theta, node.strict, plain)
            return Neuron(name=node.name, theta=theta, soft=node.soft)
        assert node.alpha is not None  # _check has seen to it
        state = State(
            bits=node.state_bits,
            thresholds=quantise.state_thresholds(node.state_bits, node.alpha, one),
            shift=self.shift(self.groups[node.source], node),
        )
        theta = quantise.threshold(node.name, node.theta, node.strict, one)
        return Neuron(name=node.name, theta=theta, state=state)

    def shift(self, group: Group, node: g.LIF) -> int:
        """The state shift of a group."""
        assert node.state_bits is not None
        assert node.alpha is not None
        return self.shifts.get(group.key, state_shifts(node.state_bits, node.alpha)[0])

    def plain(self, tensor: str) -> bool:
        """Whether ``frac_bits`` settle the unit of a tensor."""
        return not any(node.state_bits for node in self.groups[tensor].neurons)

    def _demand(self, group: Group, node: g.LIF) -> float:
        if node.state_bits is None:
            return 2.0 ** (self.frac_bits + (not node.decay_input))
        assert node.alpha is not None
        return state_unit(node.state_bits, node.alpha, self.shift(group, node))

    def _check(self, node: g.LIF) -> None:
        """Refuse what no lane can do."""
        if node.tau != 2.0:
            self.refuse(node, f"only neurons with tau 2 exist, this one has {node.tau}")
        if node.state_bits is None:
            return
        if node.state_bits not in STATE_BITS:
            self.refuse(node, f"its state has {node.state_bits} bits, wanted one of {STATE_BITS}")
        if node.decay_input or node.soft:
            self.refuse(
                node, "a quantised state needs an input that does not decay, and reset to 0"
            )
        if node.alpha is None:
            self.refuse(
                node,
                "its alpha is the maximum of each batch, which no single image has",
                "freeze it with net.with_alpha(1), or net.with_alpha(net.measure_alpha(images))",
            )


def groups(net: g.FloatNetwork) -> dict[str, Group]:
    """Group of every real-valued tensor that a neuron or a sum may read."""
    table: dict[str, Group] = {}

    def join(*names: str) -> None:
        found = [table[name] for name in names if name in table]
        group = found[0] if found else Group(key=names[0])
        for other in found[1:]:
            if other is not group:
                group.neurons += [n for n in other.neurons if n not in group.neurons]
                table.update({name: group for name, held in table.items() if held is other})
        table.update(dict.fromkeys(names, group))

    spikes = spike_tensors(net)
    for node in net.nodes:
        match node:
            case g.BatchNorm() | g.Scale():
                join(node.name)
            case g.Add() | g.Average():
                join(*(name for name in (*g.sources(node), node.name) if name not in spikes))
            case g.LIF() if node.source in table:
                table[node.source].neurons.append(node)
    return table
