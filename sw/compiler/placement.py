"""Where everything lies: layouts of tensors, residual buffers, row, column and pixel regions."""

from collections.abc import Iterable
from itertools import groupby

import numpy as np

from hw.arch.config import Config
from hw.arch.errors import SpikeloomError
from hw.arch.isa import Dest, Pack, Res
from sw.check import tensor_shapes
from sw.compiler.layout import (
    Allocator,
    Layout,
    ceil_div,
    channel_packed,
    choose_pack,
    head_packed,
    token_packed,
)
from sw.compiler.program import Region
from sw.network import (
    AttentionApply,
    AttentionMap,
    BinaryLayer,
    IntegerNetwork,
    Layer,
    Mean,
    Residual,
    SpikePool,
)


def written(layer: Layer) -> Iterable[str]:
    """Names of the tensors that a layer writes."""
    residual, neuron = getattr(layer, "residual", None), getattr(layer, "neuron", None)
    if residual is not None:
        yield residual.output
    if neuron is not None:
        yield neuron.name
    elif residual is None:
        yield layer.name


def spikes(layer: Layer) -> str | None:
    """Name of the spike tensor that a layer writes."""
    if isinstance(layer, SpikePool):
        return layer.name
    neuron = getattr(layer, "neuron", None)
    return None if neuron is None else neuron.name


def reads(layer: Layer) -> Iterable[str]:
    """Names of the tensors that a layer reads."""
    for name in ("source", "left", "right", "map"):
        if hasattr(layer, name):
            yield getattr(layer, name)
    yield from getattr(layer, "sources", ())
    residual = getattr(layer, "residual", None)
    if residual is not None:
        yield from residual.inputs


class Placement:
    """Layouts and addresses of a network's tensors, in memories as deep as needed.

    Attributes
    ----------
    shape : dict
        (C, H, W) of spikes and residuals, (H, rows, columns) of maps, (C,) of features.
    layouts, base : dict
        Layout and address of each spike tensor; addresses after `place_tensors`.
    heads : dict
        Heads of the tensors that attention reads.
    residual_op : dict
        Layer name to (Res, buffer written).
    mean_runs : list
        Means that one instruction computes: buffer to layer, in order of execution.
    features : dict
        Mean's name to (offset among the features, channels).
    regions : list of Region
    depth : dict
        Words needed of each memory.
    """

    def __init__(self, net: IntegerNetwork, config: Config):
        self.net, self.config, self.steps = net, config, net.steps
        self.shape = tensor_shapes(net)
        self.maker: dict[str, int] = {}
        self.readers: dict[str, list[int]] = {}
        for n, layer in enumerate(net.layers):
            for name in reads(layer):
                self.readers[name].append(n)
            for name in written(layer):
                self.maker[name], self.readers[name] = n, []
        self.heads: dict[str, int] = {}
        self.base: dict[str, int] = {}
        self.regions: list[Region] = []
        self.depth: dict[str, int] = {}
        self.layouts: dict[str, Layout] = {}
        for layer in net.layers:
            if (name := spikes(layer)) is not None:
                self.layouts[name] = self._layout(layer, name)
        self._place_residuals()
        self._group_means()
        self._place_pixels()

    def fail(self, layer: str, what: str) -> SpikeloomError:
        """Return the error for a network that cannot be mapped."""
        return SpikeloomError(f"network {self.net.name!r}, layer {layer!r}: {what}")

    def last_use(self, name: str) -> int:
        """Index of the last layer that needs a tensor."""
        return max(self.readers[name], default=self.maker[name])

    def _needs_2d(self, name: str) -> bool:
        for n in self.readers[name]:
            match self.net.layers[n]:
                case SpikePool():
                    return True
                case BinaryLayer() as layer if layer.source == name:
                    if layer.weight.shape[2:] == (3, 3):
                        return True
                    if layer.neuron is not None and self._needs_2d(layer.neuron.name):
                        return True
        return False

    def _role(self, name: str) -> tuple:
        """How attention reads a tensor: (Dest, heads), or () where no attention does."""
        roles = set()
        for n in self.readers[name]:
            match self.net.layers[n]:
                case AttentionMap() as layer if name in (layer.left, layer.right):
                    qk, left = layer.order == "qk", name == layer.left
                    if qk:
                        roles.add((Dest.ROW if left else Dest.COL_TOKEN, layer.heads))
                    else:
                        roles.add((Dest.COL_CHANNEL if left else Dest.ROW_CHANNEL, layer.heads))
                case AttentionApply() as layer if name == layer.source:
                    qk = layer.order == "qk"
                    roles.add((Dest.COL_CHANNEL if qk else Dest.ROW, layer.heads))
                case AttentionApply():
                    pass
                case _:
                    roles.add(())
        if len(roles) > 1:
            raise self.fail(name, "is read in several ways that need different memory layouts")
        return roles.pop() if roles else ()

    def _layout(self, layer: Layer, name: str) -> Layout:
        c, t = self.config, self.steps
        if isinstance(layer, AttentionMap):
            heads, side, _ = self.shape[name]
            dest = Dest.ROW if layer.order == "qk" else Dest.COL_TOKEN
            return head_packed(c, t, dest=dest, tokens=side, heads=heads, channels=side)
        channels, h, w = self.shape[name]
        if role := self._role(name):
            dest, heads = role
            if not isinstance(layer, BinaryLayer) or layer.residual is not None:
                raise self.fail(
                    layer.name, "attention can read a binary layer without residual only"
                )
            if channels % heads:
                raise self.fail(name, f"{channels} channels do not divide into {heads} heads")
            self.heads[name] = heads
            width = channels // heads
            if dest in (Dest.ROW, Dest.COL_TOKEN):
                padded = ceil_div(width, c.cols) * c.cols
                return head_packed(c, t, dest=dest, tokens=h * w, heads=heads, channels=padded)
            return token_packed(c, t, dest=dest, tokens=h * w, heads=heads, head_width=width)
        position, bits = None, 0
        if isinstance(layer, AttentionApply):
            width = channels // layer.heads
            padded = ceil_div(width, c.cols) * c.cols
            position = (
                np.arange(layer.heads)[:, None] * padded + np.arange(width)
            ).ravel()
            bits = layer.heads * padded
        flat = not self._needs_2d(name)
        pack, slot = Pack.NONE, 1
        readers = [self.net.layers[n] for n in self.readers[name]]
        if readers and position is None and not flat and all(
            isinstance(r, BinaryLayer) and r.weight.shape[2:] == (3, 3) for r in readers
        ):
            pack, slot = choose_pack(c, channels)
        return channel_packed(c, t, channels=channels, height=h, width=w, flat=flat, pack=pack,
                              slot=slot, position=position, bits=bits)

    # ---- residual buffers and means --------------------------------------------------------

    def _place_residuals(self) -> None:
        """Choose a buffer (0 = A, 1 = B) for every residual tensor."""
        self.residual_op: dict[str, tuple[Res, int]] = {}
        self._buffer: dict[str, int] = {}
        held: dict[int, str] = {}
        size = 0
        for n, layer in enumerate(self.net.layers):
            residual = getattr(layer, "residual", None)
            if residual is None:
                continue
            if any(held.get(self._buffer[t]) != t for t in residual.inputs):
                raise self.fail(layer.name, "reads a residual that was overwritten; the core has "
                                "two buffers")
            op, dest = self._residual(n, layer.name, residual, held)
            held[dest], self._buffer[residual.output] = residual.output, dest
            self.residual_op[layer.name] = (op, dest)
            channels, h, w = self.shape[residual.output]
            words = ceil_div(channels, self.config.cols) * self.steps * self.groups(h * w)
            words *= self.config.rows
            size = max(size, words)
            self.regions.append(Region(name=f"{residual.output} ({'AB'[dest]})", memory="res",
                                       base=0, size=words))
        self.depth["res"] = size

    def _residual(
        self, n: int, layer: str, residual: Residual, held: dict[int, str]
    ) -> tuple[Res, int]:
        """Operation and buffer written: the oldest input's of two, the free one of one."""
        inputs = [self._buffer[t] for t in residual.inputs]
        needed = {b for b, t in held.items() if self.last_use(t) > n}
        if len(inputs) == 0:
            op, choice = Res.SET, (1, 0)
        elif len(inputs) == 1:
            op, choice = Res.ADD, (0, 1)
            if inputs != [1]:
                raise self.fail(layer, "a single residual can be added from buffer B only, "
                                f"but {residual.inputs[0]!r} is in buffer A")
        else:
            op, choice = Res.AVERAGE, tuple(inputs)
            if inputs[0] == inputs[1]:
                raise self.fail(layer, "averages a residual with itself")
        free = [b for b in choice if b not in needed]
        if not free:
            raise self.fail(layer, "needs a third residual buffer, but the core has two")
        return op, free[0]

    def groups(self, tokens: int) -> int:
        """Groups of R tokens."""
        return ceil_div(tokens, self.config.rows)

    def _group_means(self) -> None:
        """Find means that share an instruction (buffers A and B, same shift)."""
        self.mean_runs: list[dict[int, Mean]] = []
        self.features: dict[str, tuple[int, int]] = {}
        for _, group in groupby(self.net.layers, key=type):
            run: dict[int, Mean] = {}
            for layer in group:
                if not isinstance(layer, Mean):
                    break
                buffer, other = self._buffer[layer.source], next(iter(run.values()), layer)
                if buffer in run or (layer.shift, self.shape[layer.source]) != (
                    other.shift, self.shape[other.source]
                ):
                    self.mean_runs.append(run)
                    run = {}
                run[buffer] = layer
            if run:
                self.mean_runs.append(run)
        at = 0
        for run in self.mean_runs:
            channels = self.shape[next(iter(run.values())).source][0]
            span = ceil_div(channels, self.config.cols) * self.config.cols
            for buffer, layer in run.items():
                self.features[layer.name] = (at + buffer * span, channels)
            at += (max(run) + 1) * span
        self.feature_count = at

    # ---- memories --------------------------------------------------------------------------

    def place_tensors(self, constants: int) -> None:
        """Place spike tensors, those in column memory above ``constants`` words."""
        floor = {"row": 0, "col": constants}
        places = {"row": Allocator(), "col": Allocator()}
        self.regions.append(Region(name="constants", memory="col", base=0, size=constants))
        for name, layout in self.layouts.items():
            memory = layout.memory
            self.base[name] = places[memory].place(
                layout.size, self.maker[name], self.last_use(name), floor[memory]
            )
            self.regions.append(
                Region(name=name, memory=memory, base=self.base[name], size=layout.size)
            )
        for memory, place in places.items():
            self.depth[memory] = max(place.top, floor[memory])

    def _place_pixels(self) -> None:
        """Image, features, logits: never over one another, so that logits outlive a load."""
        net, cols = self.net, self.config.cols
        self.input_shape = (net.channels, net.height, net.width)
        if net.per_step_input:
            self.input_shape = (net.steps, *self.input_shape)
        self.feature_base = int(np.prod(self.input_shape))
        self.logits_base = self.feature_base + self.feature_count
        logits = ceil_div(net.classes, cols) * cols
        self.depth["pix"] = self.logits_base + logits
        for name, base, size in (
            ("image", 0, self.feature_base),
            ("features", self.feature_base, self.feature_count),
            ("logits", self.logits_base, logits),
        ):
            self.regions.append(Region(name=name, memory="pix", base=base, size=size))
