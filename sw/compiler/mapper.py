"""Integer network to instructions: layouts, addresses, column memory image."""

import dataclasses
from collections.abc import Iterable
from itertools import groupby

import numpy as np

from hw.arch import formats, isa
from hw.arch.config import Config
from hw.arch.errors import SpikeloomError
from hw.arch.isa import LEVELS, Dest, Op, Pack, Res, Step
from sw.compiler.layout import (
    Allocator,
    Layout,
    ceil_div,
    channel_packed,
    choose_pack,
    head_packed,
    token_packed,
)
from sw.compiler.program import Label, Region
from sw.network import (
    AttentionApply,
    AttentionMap,
    BinaryLayer,
    Head,
    IntegerNetwork,
    Layer,
    Mean,
    PixelConv,
    Residual,
    SpikePool,
)

_P_MAX = (1 << (formats.PRODUCT_BITS - 1)) - 1
_FITTABLE = ("row_depth", "col_depth", "res_depth", "pix_depth", "prog_depth", "acc_bits")


def stream(
    prefix: str, counts: dict[str, int], strides: dict[str, int], base: int
) -> dict[str, int]:
    """Return base and delta fields of an address stream that is linear in the loop indices.

    A delta undoes what the inner levels added: stride - sum of inner stride * (count - 1).
    """
    out, inner = {f"{prefix}_base": base % (1 << 16)}, 0
    for level in LEVELS:
        stride = strides.get(level, 0)
        delta = (stride - inner) % (1 << 16)
        out[f"{prefix}_{level}"] = delta - (1 << 16) if delta >> 15 else delta
        inner += stride * (counts.get(f"n_{level}", 1) - 1)
    return out


class Mapper:
    """One mapping of a network onto a configuration; the constructor does the work.

    Memories are taken to be as deep as needed; `needs` says how deep that is and `problems` what
    no depth would cure.

    Attributes
    ----------
    words : list of int
        Program memory.
    columns : numpy.ndarray
        uint8 (C, used, W / 8).
    needs : dict
        Least value of each setting of the configuration that depends on the network.
    """

    def __init__(self, net: IntegerNetwork, config: Config):
        self.net, self.config, self.steps = net, config, net.steps
        self.problems: list[str] = []
        self.labels: list[Label] = []
        self.ops: list[tuple[str, int]] = []
        self.regions: list[Region] = []
        self.words: list[int] = []
        self.needs = {"res_depth": 0, "acc_bits": 0}
        self._tiles: list[np.ndarray] = []
        self._static = 0
        self._buffers: dict[int, str] = {}
        self._features: dict[str, tuple[int, int]] = {}
        self._shapes()
        self._choose_layouts()
        self._place_constants()
        self._place_tensors()
        self._place_pixels()
        self._emit_all()
        self.columns = (
            np.concatenate(self._tiles, axis=1) if self._tiles
            else np.zeros((config.cols, 0, config.width // 8), np.uint8)
        )
        self.needs["prog_depth"] = len(self.words)
        self.regions.append(
            Region(name="program", memory="prog", base=0, size=len(self.words))
        )

    # ---- what the network says -------------------------------------------------------------

    def _fail(self, layer: str, what: str) -> SpikeloomError:
        return SpikeloomError(f"network {self.net.name!r}, layer {layer!r}: {what}")

    def _shapes(self) -> None:
        """Shapes (C, H, W) of spike and residual tensors, and who reads them."""
        net = self.net
        if not 1 <= net.steps <= formats.MAX_STEPS:
            raise SpikeloomError(
                f"network {net.name!r} has {net.steps} steps; 1 to {formats.MAX_STEPS} are possible"
            )
        self.shape: dict[str, tuple[int, int, int]] = {}
        self.maker: dict[str, int] = {}
        self.readers: dict[str, list[int]] = {}
        self.heads: dict[str, int] = {}  # of attention operands
        for n, layer in enumerate(net.layers):
            for name in self._inputs(layer):
                if name not in self.maker:
                    raise self._fail(layer.name, f"reads {name!r}, which no earlier layer writes")
                self.readers[name].append(n)
            for name, shape in self._outputs(layer):
                if name in self.maker:
                    raise self._fail(layer.name, f"writes {name!r}, which exists already")
                self.shape[name], self.maker[name], self.readers[name] = shape, n, []
        if not isinstance(net.layers[-1], Head):
            raise SpikeloomError(f"network {net.name!r} does not end with a Head layer")

    @staticmethod
    def _inputs(layer: Layer) -> Iterable[str]:
        match layer:
            case BinaryLayer():
                yield layer.source
                if layer.residual is not None:
                    yield from layer.residual.inputs
            case SpikePool() | Mean():
                yield layer.source
            case AttentionMap():
                yield from (layer.left, layer.right)
            case AttentionApply():
                yield from (layer.map, layer.source)
            case Head():
                yield from layer.sources

    def _outputs(self, layer: Layer) -> Iterable[tuple[str, tuple[int, ...]]]:
        match layer:
            case PixelConv():
                o, _, kh, kw = layer.weight.shape
                yield layer.neuron.name, (
                    o, self.net.height + 2 * layer.padding - kh + 1,
                    self.net.width + 2 * layer.padding - kw + 1,
                )
            case BinaryLayer():
                shape = (len(layer.weight), *self.shape[layer.source][1:])
                if layer.residual is not None:
                    yield layer.residual.output, shape
                if layer.neuron is not None:
                    yield layer.neuron.name, shape
            case SpikePool():
                c, h, w = self.shape[layer.source]
                yield layer.name, (c, ceil_div(h, 2), ceil_div(w, 2))
            case AttentionMap():
                c, h, w = self.shape[layer.left]
                side = h * w if layer.order == "qk" else c // layer.heads
                yield layer.neuron.name, (layer.heads, side, side)
            case AttentionApply():
                yield layer.neuron.name, self.shape[layer.source]
            case Mean():
                yield layer.name, (self.shape[layer.source][0], 1, 1)

    # ---- layouts ---------------------------------------------------------------------------

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
            raise self._fail(name, "is read in several ways that need different memory layouts")
        return roles.pop() if roles else ()

    def _choose_layouts(self) -> None:
        self.layouts: dict[str, Layout] = {}
        for layer in self.net.layers:
            name = layer.name if isinstance(layer, SpikePool) else None
            if getattr(layer, "neuron", None) is not None:
                name = layer.neuron.name
            if name is not None:
                self.layouts[name] = self._layout(layer, name)

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
                raise self._fail(
                    layer.name, "attention can read a binary layer without residual only"
                )
            if channels % heads:
                raise self._fail(name, f"{channels} channels do not divide into {heads} heads")
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

    # ---- column memory: parameters and weights ---------------------------------------------

    def _tile_channels(self, layer: BinaryLayer) -> np.ndarray:
        """Output channel of each lane of each column tile, -1 for none: (heads, tiles, C)."""
        cols, out = self.config.cols, len(layer.weight)
        heads = self.heads.get(layer.neuron.name, 1) if layer.neuron is not None else 1
        width = out // heads
        slots = np.full((heads, ceil_div(width, cols) * cols), -1)
        slots[:, :width] = np.arange(out).reshape(heads, width)
        return slots.reshape(heads, -1, cols)

    def _constant(self, tiles: np.ndarray) -> int:
        """Append (C, words, W / 8) bytes to column memory; return the address."""
        base, self._static = self._static, self._static + tiles.shape[1]
        self._tiles.append(np.ascontiguousarray(tiles, np.uint8))
        return base

    def _numbers(self, values: np.ndarray, bits: int) -> np.ndarray:
        """Words (C, words) that hold signed numbers, as bytes (C, words, W / 8)."""
        low = (np.asarray(values, np.int64) & ((1 << bits) - 1)).astype("<u4")
        out = np.zeros((*low.shape, self.config.width // 8), np.uint8)
        out[..., :4] = np.ascontiguousarray(low)[..., None].view(np.uint8)
        return out

    def _parameters(self, bias: np.ndarray, factors: np.ndarray) -> int:
        """Append parameter words: bias (tiles, C), factors (tiles, entries, C)."""
        bias = self._numbers(bias, formats.BIAS_BITS)[:, None]  # (tiles, 1, C, bytes)
        factors = self._numbers(factors, formats.FACTOR_BITS)
        both = np.concatenate([bias, factors], axis=1)  # (tiles, words, C, bytes)
        return self._constant(both.transpose(2, 0, 1, 3).reshape(
            self.config.cols, -1, self.config.width // 8
        ))

    @staticmethod
    def _lanes_of(values: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """values[slot], 0 where the slot is -1."""
        values = np.asarray(values, np.int64)
        return np.where(slots >= 0, values[np.maximum(slots, 0)], 0)

    def _weight_words(self, layer: BinaryLayer) -> np.ndarray:
        """Weights in the order of the row words: bool (O, words, W)."""
        weight = np.asarray(layer.weight, bool)
        o, _, kh, kw = weight.shape
        source = self.layouts[layer.source]
        width, channels = self.config.width, weight.shape[1]
        taps = weight.transpose(0, 2, 3, 1)  # (O, kh, kw, I)
        if source.pack == Pack.NONE:
            position = np.arange(channels) if source.position is None else source.position
            out = np.zeros((o, kh, kw, source.words * width), bool)
            out[..., position] = taps
            return out.reshape(o, -1, width)
        n_dx, bits = (2, 8 * source.slot) if source.pack == Pack.PAIR else (1, 8 * source.slot)
        out = np.zeros((o, kh, n_dx, width), bool)
        if source.pack == Pack.TRIPLE:
            for x in range(3):
                out[:, :, 0, x * bits : x * bits + channels] = taps[:, :, x]
        else:
            out[:, :, 0, :channels] = taps[:, :, 0]
            out[:, :, 0, bits : bits + channels] = taps[:, :, 1]
            out[:, :, 1, bits : bits + channels] = taps[:, :, 2]
        return out.reshape(o, -1, width)

    def _place_constants(self) -> None:
        """Build the parameter tables and weights of all layers."""
        cols = self.config.cols
        self.tables: dict[str, tuple[int, int]] = {}  # layer: parameter, weight address
        for layer in self.net.layers:
            weights = 0
            match layer:
                case PixelConv():
                    slots = self._slots(len(layer.weight))
                    params = self._parameters(
                        self._lanes_of(layer.bias, slots), np.zeros((len(slots), 1, cols))
                    )
                    # words: tile, dy, dx, input channel
                    words = np.asarray(layer.weight, np.int64).transpose(0, 2, 3, 1)
                    weights = self._lane_weights(words.reshape(len(words), -1), slots)
                case BinaryLayer():
                    slots = self._tile_channels(layer).reshape(-1, cols)
                    factor = self._lanes_of(layer.affine.factor, slots)
                    params = self._parameters(
                        self._lanes_of(layer.affine.bias, slots), factor[:, None]
                    )
                    words = self._weight_words(layer)
                    tiles = np.where((slots >= 0)[..., None, None],
                                     words[np.maximum(slots, 0)], False)
                    packed = np.packbits(tiles, axis=-1, bitorder="little")
                    weights = self._constant(
                        packed.transpose(1, 0, 2, 3).reshape(cols, -1, packed.shape[-1])
                    )
                case AttentionMap():
                    factor, bias = int(layer.affine.factor[0]), int(layer.affine.bias[0])
                    if layer.similarity == "xnor":  # the array gives equal bits minus head width
                        bias += factor * (self.shape[layer.left][0] // layer.heads)
                    if abs(bias) > formats.BIAS_MAX:
                        self.problems.append(
                            f"layer {layer.name!r}: bias {bias} does not fit {formats.BIAS_BITS} "
                            "bits once the head width is added (XNOR); lower it with a smaller scale"
                        )
                        bias = 0
                    params = self._parameters(
                        np.full((1, cols), bias), np.full((1, 1, cols), factor)
                    )
                case AttentionApply():
                    bias = np.broadcast_to(layer.affine.bias, (self.steps, layer.heads))
                    if (bias != bias[:1]).any():
                        raise self._fail(layer.name, "bias must be the same at every step")
                    factor = np.broadcast_to(layer.affine.factor, (self.steps, layer.heads))
                    params = self._parameters(
                        np.repeat(bias[0][:, None], cols, axis=1),
                        np.repeat(factor.T[:, :, None], cols, axis=2),
                    )
                case Head():
                    slots = self._slots(len(layer.weight))
                    params = self._parameters(
                        self._lanes_of(layer.bias, slots), np.zeros((len(slots), 1, cols))
                    )
                    weights = self._head_weights(layer, slots)
                case Mean() | SpikePool():
                    continue  # parameters of means are placed with their instruction, below
            self.tables[layer.name] = (params, weights)
        self.means = {}
        for run in self._mean_runs():
            bias, factor = np.zeros((2, cols)), np.zeros((2, 1, cols))
            for buffer, layer in run.items():
                bias[buffer], factor[buffer] = layer.bias, layer.factor
            count = max(run) + 1
            self.means[id(run[max(run)])] = (
                run, self._parameters(bias[:count], factor[:count])
            )
        if self._static:
            self.regions.append(
                Region(name="constants", memory="col", base=0, size=self._static)
            )

    def _slots(self, count: int) -> np.ndarray:
        """Channel of each lane of each column tile, -1 for none: (tiles, C)."""
        cols = self.config.cols
        slots = np.arange(ceil_div(count, cols) * cols)
        return np.where(slots < count, slots, -1).reshape(-1, cols)

    def _lane_weights(self, words: np.ndarray, slots: np.ndarray) -> int:
        """Append multi-bit weights (O, words), one word each."""
        tiles = np.where((slots >= 0)[..., None], words[np.maximum(slots, 0)], 0)
        data = self._numbers(tiles, formats.FACTOR_BITS)  # (tiles, C, words, bytes)
        return self._constant(
            data.transpose(1, 0, 2, 3).reshape(self.config.cols, -1, self.config.width // 8)
        )

    def _head_weights(self, layer: Head, slots: np.ndarray) -> int:
        """Append a head's weights in the order of the features in pixel memory."""
        total = self._plan_features()
        words = np.zeros((len(layer.weight), total), np.int64)
        at = 0
        for source in layer.sources:
            base, count = self._features[source]
            words[:, base : base + count] += np.asarray(layer.weight, np.int64)[:, at : at + count]
            at += count
        return self._lane_weights(words, slots)

    # ---- residual buffers and means --------------------------------------------------------

    def _last_use(self, name: str) -> int:
        return max(self.readers[name], default=self.maker[name])

    def _assign_buffers(self) -> dict[str, int]:
        """Buffer (0 = A, 1 = B) of every residual tensor, and operation per layer."""
        if hasattr(self, "_buffer_of"):
            return self._buffer_of
        where: dict[str, int] = {}
        held: dict[int, str] = {}
        self.residual_op: dict[str, tuple[Res, int]] = {}
        for n, layer in enumerate(self.net.layers):
            residual: Residual | None = getattr(layer, "residual", None)
            if residual is None:
                continue
            live = {b: t for b, t in held.items() if self._last_use(t) >= n}
            for t in residual.inputs:
                if held.get(where.get(t, -1)) != t:
                    raise self._fail(layer.name, f"residual {t!r} was overwritten before its use")
            needed = {b for b, t in live.items() if self._last_use(t) > n}
            if len(residual.inputs) == 0:
                op, choice = Res.SET, [b for b in (1, 0) if b not in live]
            elif len(residual.inputs) == 1:
                op, choice = Res.ADD, [b for b in (0, 1) if b not in needed]
                if where[residual.inputs[0]] != 1:
                    raise self._fail(
                        layer.name, "a single residual can be added from buffer B only, but "
                        f"{residual.inputs[0]!r} is in buffer A"
                    )
            else:
                op = Res.AVERAGE
                a, b = (where[t] for t in residual.inputs)
                choice = [x for x in (a, b) if x not in needed]
                if a == b:
                    raise self._fail(layer.name, "averages a residual with itself")
            if not choice:
                raise self._fail(
                    layer.name, "needs a third residual buffer, but the core has two"
                )
            dest = choice[0]
            held[dest], where[residual.output] = residual.output, dest
            self.residual_op[layer.name] = (op, dest)
        self._buffer_of = where
        return where

    def _mean_runs(self) -> list[dict[int, Mean]]:
        """Means that one instruction computes: buffer to layer, in order of execution."""
        if hasattr(self, "_runs"):
            return self._runs
        where, runs = self._assign_buffers(), []
        for kind, group in groupby(self.net.layers, key=type):
            if kind is not Mean:
                continue
            run: dict[int, Mean] = {}
            for layer in group:
                buffer = where[layer.source]
                if run and (buffer in run or layer.shift != next(iter(run.values())).shift):
                    runs.append(run)
                    run = {}
                run[buffer] = layer
            runs.append(run)
        self._runs = runs
        return runs

    def _plan_features(self) -> int:
        """Offsets of the features among the features' words; return how many words they take."""
        cols, total = self.config.cols, 0
        for run in self._mean_runs():
            if len({self.shape[m.source] for m in run.values()}) > 1:
                raise self._fail(next(iter(run.values())).name, "means differ in shape")
            channels = self.shape[next(iter(run.values())).source][0]
            span = ceil_div(channels, cols) * cols
            for buffer, layer in run.items():
                self._features[layer.name] = (total + buffer * span, channels)
            total += (max(run) + 1) * span
        return total

    # ---- memories --------------------------------------------------------------------------

    def _place_tensors(self) -> None:
        self.base: dict[str, int] = {}
        places = {"row": Allocator(), "col": Allocator()}
        floor = {"row": 0, "col": self._static}
        for name, layout in self.layouts.items():
            memory = layout.memory
            self.base[name] = places[memory].place(
                layout.size, self.maker[name], self._last_use(name), floor[memory]
            )
            self.regions.append(
                Region(name=name, memory=memory, base=self.base[name], size=layout.size)
            )
        self.needs["row_depth"] = places["row"].top
        self.needs["col_depth"] = max(places["col"].top, self._static)

    def _place_pixels(self) -> None:
        net, cols = self.net, self.config.cols
        self.input_shape = (net.channels, net.height, net.width)
        if net.per_step_input:
            self.input_shape = (net.steps, *self.input_shape)
        image = int(np.prod(self.input_shape))
        self.feature_base, features = image, self._plan_features()
        self.logits_base = image + features
        logits = ceil_div(net.classes, cols) * cols
        self.needs["pix_depth"] = self.logits_base + logits
        for name, base, size in (("image", 0, image), ("features", image, features),
                                 ("logits", self.logits_base, logits)):
            self.regions.append(Region(name=name, memory="pix", base=base, size=size))

    # ---- instructions ----------------------------------------------------------------------

    def _emit(self, op: Op, label: Label, row: dict, col: dict, **fields: int) -> None:
        """Encode one instruction; ``row`` and ``col`` are strides with their ``base``."""
        for prefix, strides in (("row", row), ("col", col)):
            fields |= stream(prefix, fields, strides, strides.get("base", 0))
        if "par_base" in fields:
            for name in ("par_base", "par_j", "par_h"):
                fields[name] %= 1 << 16
        for name in ("w_base", "w_gs", "w_t", "w_j", "row_gs"):
            if name in fields:
                fields[name] %= 1 << 16
        bad = {}
        for name, value in fields.items():
            f = isa.BY_NAME[name]
            low = -(1 << (f.bits - 1)) if f.signed else 0
            if not low <= value < 1 << f.bits:
                self.problems.append(
                    f"layer {label.layer!r}: {f.doc} is {value}, but instruction field {name} "
                    f"holds {low} to {(1 << f.bits) - 1}"
                )
                bad[name] = 0
        self.words += isa.encode(op, **{k: int(v) for k, v in (fields | bad).items()})
        self.labels.append(label)

    def _count(self, name: str, depth: int) -> None:
        """Note that an element counts up to ``depth``."""
        bits = depth.bit_length() + 1
        self.needs["acc_bits"] = max(self.needs["acc_bits"], bits)

    def _check_product(self, name: str, reach: int) -> None:
        if reach > _P_MAX:
            self.problems.append(
                f"layer {name!r}: sums reach {reach}, more than {formats.PRODUCT_BITS} bits hold; "
                "lower it with smaller factors"
            )

    def _emit_all(self) -> None:
        for layer in self.net.layers:
            match layer:
                case PixelConv():
                    self._emit_pixel(layer)
                case BinaryLayer():
                    self._emit_binary(layer)
                case SpikePool():
                    self._emit_pool(layer)
                case AttentionMap():
                    self._emit_map(layer)
                case AttentionApply():
                    self._emit_apply(layer)
                case Mean():
                    if id(layer) in self.means:
                        self._emit_mean(*self.means[id(layer)])
                case Head():
                    self._emit_head(layer)
        self.words += isa.encode(Op.HALT)
        self.labels.append(Label(layer="(end)", op=Op.HALT.name))

    def _neuron(self, layer: Layer) -> dict[str, int]:
        out = {"shift": formats.SHIFTS.index(layer.affine.shift if hasattr(layer, "affine")
                                             else layer.shift)}
        neuron = getattr(layer, "neuron", None)
        if neuron is not None:
            if not 0 < neuron.theta <= formats.MEMBRANE_MAX:
                raise self._fail(layer.name, f"threshold {neuron.theta} is outside 1 to "
                                 f"{formats.MEMBRANE_MAX}")
            out |= {"theta": int(neuron.theta), "soft": int(neuron.soft)}
        return out

    def _last_lanes(self, channels: int) -> int:
        return (channels - 1) % self.config.cols + 1

    def _emit_pixel(self, layer: PixelConv) -> None:
        c, name = self.config, layer.neuron.name
        out, channels, kh, kw = layer.weight.shape
        _, h, w = self.shape[name]
        if layer.padding not in (0, 1):
            raise self._fail(layer.name, f"padding {layer.padding} is not 0 or 1")
        centre = [int(v) for v in layer.centre]
        if any(v != centre[k % 4] for k, v in enumerate(centre)):
            raise self._fail(layer.name, "channels k and k + 4 must have the same centre")
        centre += [0] * (4 - len(centre))
        frame = channels * self.net.height * self.net.width
        span = max(
            max(abs((255 << layer.pixel_shift) - v), abs(v)) for v in centre[:channels]
        )
        reach = np.abs(np.asarray(layer.weight, np.int64)).reshape(out, -1).sum(1) * span
        self._check_product(layer.name, int((reach + np.abs(layer.bias)).max()))
        spread = not self.net.per_step_input
        params, weights = self.tables[layer.name]
        counts = {"n_k": channels, "n_dx": kw, "n_dy": kh, "n_t": 1 if spread else self.steps,
                  "n_x": w, "n_y": h, "n_j": ceil_div(out, c.cols), "n_h": 1}
        line = self.net.width
        self._emit(
            Op.MAC,
            Label(layer=layer.name, op=Op.MAC.name, tensor=name, kind="spikes",
                  shape=self.shape[name]),
            row={"base": -layer.padding * (line + 1), "k": self.net.height * line, "dx": 1,
                 "dy": line, "t": frame, "x": 1, "y": line},
            col={"base": weights, "k": 1, "dx": channels, "dy": channels * kw,
                 "j": channels * kw * kh},
            **counts, img_w=self.net.width, img_h=self.net.height,
            shift_left=layer.padding, pad_y=layer.padding,
            spread=int(spread), n_spread=self.steps - 1 if spread else 0,
            tile_min=self.steps if spread else 1, n_step=Step.ONE, n_par=2,
            par_base=params, par_j=2, par_h=2, flat=int(self.layouts[name].flat),
            pix_shift=layer.pixel_shift, lanes=self._last_lanes(out),
            **{f"centre{k}": v for k, v in enumerate(centre[:4])},
            **self.layouts[name].write_fields(c, self.base[name], w),
            **self._neuron(layer),
        )

    def _emit_binary(self, layer: BinaryLayer) -> None:
        c, source = self.config, self.layouts[layer.source]
        _, h, w = self.shape[layer.source]
        out, channels, kh, kw = layer.weight.shape
        if (kh, kw) not in ((1, 1), (3, 3)):
            raise self._fail(layer.name, f"a {kh}x{kw} kernel; 1x1 and 3x3 are possible")
        if channels != self.shape[layer.source][0]:
            raise self._fail(layer.name, f"weights for {channels} channels, but "
                             f"{layer.source!r} has {self.shape[layer.source][0]}")
        if source.dest not in (Dest.ROW, Dest.ROW_TAPS) or source.head_words:
            raise self._fail(layer.name, f"cannot read {layer.source!r}: attention reads it too")
        depth = channels * kh * kw
        self._count(layer.name, depth)
        affine = layer.affine
        self._check_product(layer.name, int(
            (np.abs(np.asarray(affine.factor, np.int64)) * depth + np.abs(affine.bias)).max()
        ))
        three = kh == 3
        if source.flat:
            h, w = 1, h * w
            if three:
                raise self._fail(layer.name, f"{layer.source!r} has no image layout")
        slots = self._tile_channels(layer)
        heads, tiles, _ = slots.shape
        n_dx = {Pack.NONE: kw, Pack.PAIR: 2, Pack.TRIPLE: 1}[source.pack]
        across = ceil_div(w, c.rows)
        counts = {"n_k": source.words, "n_dx": n_dx, "n_dy": kh, "n_t": self.steps,
                  "n_x": across, "n_y": h, "n_j": tiles, "n_h": heads}
        words = source.words * n_dx * kh
        params, weights = self.tables[layer.name]
        fields = {"res": Res.NONE}
        flat = 1
        if layer.neuron is not None:
            name = layer.neuron.name
            target = self.layouts[name]
            fields |= target.write_fields(c, self.base[name], w)
            flat = int(target.flat)
            if target.dest in (Dest.COL_TOKEN, Dest.COL_CHANNEL, Dest.ROW_CHANNEL) and h > 1:
                raise self._fail(layer.name, "attention operands must come from flat tokens")
        if layer.residual is not None:
            op, dest = self.residual_op[layer.name]
            _, oh, ow = self.shape[layer.residual.output]
            groups = ceil_div(oh * ow, c.rows)
            if not flat and ow % c.rows:
                raise self._fail(layer.name, "a layer with residual cannot feed a 3x3 layer")
            fields |= {"res": op, "res_dest": dest, "res_gs": self.steps,
                       "res_j": self.steps * groups}
            size = tiles * self.steps * groups * c.rows
            self.needs["res_depth"] = max(self.needs["res_depth"], size)
            self.regions.append(
                Region(name=f"{layer.residual.output} ({'AB'[dest]})", memory="res", base=0,
                       size=size)
            )
        label = Label(
            layer=layer.name, op=Op.GEMM.name,
            tensor=layer.neuron.name if layer.neuron is not None else "",
            residual=layer.residual.output if layer.residual is not None else "",
            kind="spikes", shape=(out, *self.shape[layer.source][1:]),
            head_width=out // heads if heads > 1 else 0,
        )
        line = across * source.group
        self._emit(
            Op.GEMM, label,
            row={"base": self.base[layer.source] - (line if three else 0), "k": 1, "dy": line,
                 "t": source.words, "x": source.group, "y": line},
            col={"base": weights, "k": 1, "dx": source.words, "dy": source.words * n_dx,
                 "j": words, "h": words * tiles},
            **counts, pack=source.pack,
            slot_bytes_log2=source.slot.bit_length() - 1 if source.pack else 0,
            shift_left=int(three and source.pack == Pack.NONE), pad_y=int(three), flat=flat,
            n_step=Step.ROWS, n_par=2, par_base=params, par_j=2, par_h=2, tile_min=c.rows,
            img_w=w, img_h=h, row_gs=source.group, double=1, rowpop=1,
            lanes=self._last_lanes(out // heads), **fields, **self._neuron(layer),
        )
        pixels = self.shape[layer.source][1] * self.shape[layer.source][2]
        self.ops.append((layer.name, out * depth * pixels * self.steps))

    def _emit_pool(self, layer: SpikePool) -> None:
        c, source, target = self.config, self.layouts[layer.source], self.layouts[layer.name]
        _, h, w = self.shape[layer.source]
        if source.flat or source.pack or source.dest != Dest.ROW or target.flat:
            raise self._fail(layer.name, "a pool can stand between image layouts only")
        across = ceil_div(w, c.rows)
        line = across * source.group
        write = target.write_fields(c, self.base[layer.name], self.shape[layer.name][2])
        self._emit(
            Op.POOL,
            Label(layer=layer.name, op=Op.POOL.name, tensor=layer.name, kind="spikes",
                  shape=self.shape[layer.name]),
            row={"base": self.base[layer.source] - line, "dy": line, "t": source.words,
                 "x": source.group, "y": 2 * line, "j": 1},
            col={},
            n_k=1, n_dx=2, n_dy=3, n_t=self.steps, n_x=across, n_y=ceil_div(h, 2),
            n_j=source.words, n_h=1, img_w=w, img_h=h, shift_left=1, pad_y=1, y_twice=1,
            n_step=Step.HALF, tile_min=max(6, c.rows), row_gs=source.group, lanes=c.cols,
            **write | {"slots": 1},
        )

    def _emit_map(self, layer: AttentionMap) -> None:
        c, name = self.config, layer.neuron.name
        left, right, target = (self.layouts[n] for n in (layer.left, layer.right, name))
        channels, h, w = self.shape[layer.left]
        tokens, width = h * w, channels // layer.heads
        qk, xnor = layer.order == "qk", layer.similarity == "xnor"
        if xnor and not qk:
            raise self._fail(layer.name, "XNOR similarity exists in the QK order only")
        depth, side = (width, tokens) if qk else (tokens, width)
        self._count(layer.name, depth)
        self._check_product(layer.name, abs(int(layer.affine.factor[0])) * 2 * depth
                            + abs(int(layer.affine.bias[0])))
        tiles = ceil_div(side, c.cols)
        if qk:  # rows: queries; columns: keys
            rows, cols = layer.left, layer.right
            row = {"k": 1, "t": left.words, "x": left.group, "h": left.head_words}
            col = {"k": 1, "t": right.words, "j": right.group, "h": right.head_words}
            n_k, row_gs = left.head_words, left.group
        else:  # rows: v channels; columns: k channels; the result is S transposed
            rows, cols = layer.right, layer.left
            across = ceil_div(width, c.cols) * c.cols // c.rows
            row = {"k": 1, "t": right.words, "x": right.group, "h": across * right.group}
            col = {"k": 1, "t": left.words, "j": left.group, "h": tiles * left.group}
            n_k, row_gs = right.words, right.group
        params, _ = self.tables[layer.name]
        self._emit(
            Op.GEMM,
            Label(layer=layer.name, op=Op.GEMM.name, tensor=name, kind="map",
                  shape=self.shape[name], head_width=side, transposed=not qk),
            row={"base": self.base[rows], **row}, col={"base": self.base[cols], **col},
            n_k=n_k, n_dx=1, n_dy=1, n_t=self.steps, n_x=ceil_div(side, c.rows), n_y=1,
            n_j=tiles, n_h=layer.heads, xnor=int(xnor), rowpop=int(xnor), flat=1,
            n_step=Step.ROWS, n_par=2, par_base=params, par_j=0, par_h=0, tile_min=c.rows,
            img_w=side, img_h=1, row_gs=row_gs, lanes=self._last_lanes(side),
            **target.write_fields(c, self.base[name], side), **self._neuron(layer),
        )
        self.ops.append((layer.name, layer.heads * side * side * depth * self.steps))

    def _emit_apply(self, layer: AttentionApply) -> None:
        c, name = self.config, layer.neuron.name
        source, bits, target = (self.layouts[n] for n in (layer.source, layer.map, name))
        channels, h, w = self.shape[name]
        tokens, width = h * w, channels // layer.heads
        qk = layer.order == "qk"
        depth = tokens if qk else width
        self._count(layer.name, depth)
        self._check_product(layer.name, int(
            (np.abs(np.asarray(layer.affine.factor, np.int64)) * depth
             + np.abs(layer.affine.bias)).max()
        ))
        if h > 1 and not target.flat:
            raise self._fail(layer.name, "the output of attention must feed 1x1 layers")
        tiles = ceil_div(width, c.cols)
        left, right = (bits, source) if qk else (source, bits)
        rows, cols = (layer.map, layer.source) if qk else (layer.source, layer.map)
        row = {"base": self.base[rows], "k": 1, "t": left.words, "x": left.group,
               "h": left.head_words}
        if qk:
            col = {"h": tiles * right.group}
        else:
            col = {"h": right.head_words}
        col |= {"base": self.base[cols], "k": 1, "t": right.words, "j": right.group}
        params, _ = self.tables[layer.name]
        self._emit(
            Op.GEMM,
            Label(layer=layer.name, op=Op.GEMM.name, tensor=name, kind="spikes",
                  shape=self.shape[name], head_width=width),
            row=row, col=col,
            n_k=left.head_words, n_dx=1, n_dy=1, n_t=self.steps, n_x=ceil_div(tokens, c.rows),
            n_y=1, n_j=tiles, n_h=layer.heads, flat=1, n_step=Step.ROWS,
            n_par=1 + self.steps, factor_per_step=1, par_base=params, par_j=0,
            par_h=1 + self.steps, tile_min=c.rows, img_w=tokens, img_h=1, row_gs=left.group,
            lanes=self._last_lanes(width),
            **target.write_fields(c, self.base[name], tokens), **self._neuron(layer),
        )
        self.ops.append((layer.name, channels * tokens * depth * self.steps))

    def _emit_mean(self, run: dict[int, Mean], params: int) -> None:
        c = self.config
        first = run[min(run)]
        channels, h, w = self.shape[first.source]
        groups, tiles = ceil_div(h * w, c.rows), ceil_div(channels, c.cols)
        for layer in run.values():
            self._check_product(
                layer.name,
                abs(layer.factor) * (1 << (formats.MEMBRANE_BITS - 1)) * h * w * self.steps
                + abs(layer.bias),
            )
        base = self.feature_base + min(
            self._features[m.name][0] - b * tiles * c.cols for b, m in run.items()
        )
        names = " + ".join(run[b].name for b in sorted(run))
        tensors = ",".join(run[b].name if b in run else "" for b in range(max(run) + 1))
        self._emit(
            Op.MEAN,
            Label(layer=names, op=Op.MEAN.name, tensor=tensors, kind="values",
                  shape=(channels,), head_width=channels),
            row={"k": 1, "dx": c.rows, "dy": self.steps * c.rows,
                 "j": self.steps * groups * c.rows},
            col={}, n_k=c.rows, n_dx=self.steps, n_dy=groups, n_t=1, n_x=1, n_y=1, n_j=tiles,
            n_h=max(run) + 1, mean_mask=h * w % c.rows, tile_min=c.cols, n_step=Step.ROWS,
            img_w=1, img_h=1, n_par=2, par_base=params, par_j=0, par_h=2, dest=Dest.PIX,
            w_base=base, w_j=c.cols, slots=1, lanes=self._last_lanes(channels),
            shift=formats.SHIFTS.index(first.shift),
        )

    def _emit_head(self, layer: Head) -> None:
        c, features = self.config, self._plan_features()
        params, weights = self.tables[layer.name]
        classes = len(layer.weight)
        reach = np.abs(np.asarray(layer.weight, np.int64)).sum(1) << (formats.MEMBRANE_BITS - 1)
        self.head_reach = int((reach + np.abs(layer.bias)).max())
        self._emit(
            Op.MAC,
            Label(layer=layer.name, op=Op.MAC.name, tensor=layer.name, kind="values",
                  shape=(classes,)),
            row={"base": self.feature_base, "k": 1},
            col={"base": weights, "k": 1, "j": features},
            n_k=features, n_dx=1, n_dy=1, n_t=1, n_x=1, n_y=1, n_j=ceil_div(classes, c.cols),
            n_h=1, img_w=1, img_h=1, tile_min=c.cols, n_step=Step.ONE, n_par=2, par_base=params,
            par_j=2, par_h=2, dest=Dest.PIX, w_base=self.logits_base, w_j=c.cols, slots=1,
            lanes=self._last_lanes(classes), **self._neuron(layer),
        )

    # ---- fit -------------------------------------------------------------------------------

    def misfits(self) -> list[str]:
        """Return one line per thing that does not fit ``config``."""
        out = list(self.problems)
        names = {"row_depth": "row memory: {} words per bank", "col_depth":
                 "column memory: {} words per bank", "res_depth":
                 "residual memory: {} words per bank", "pix_depth": "pixel memory: {} words",
                 "prog_depth": "program memory: {} words",
                 "acc_bits": "element accumulators: {} bits"}
        for field, text in names.items():
            needs, has = self.needs[field], getattr(self.config, field)
            if needs > has:
                most = 16 if field == "acc_bits" else 1 << 16
                cure = (f"{field} >= {needs} would make it fit" if needs <= most
                        else f"no {field} is large enough (at most {most})")
                out.append(f"{text.format(needs)} needed, {has} there; {cure}")
        return out


def required(net: IntegerNetwork, config: Config) -> dict[str, int]:
    """Return the least value of each configuration field that depends on the network.

    Parameters
    ----------
    config : Config
        Gives rows, cols and width; its depths do not matter.
    """
    needs = Mapper(net, config).needs
    least = {name: 8 if name == "acc_bits" else 64 for name in _FITTABLE}
    return {name: max(needs[name], least[name]) for name in _FITTABLE}


def fit_config(net: IntegerNetwork, config: Config) -> Config:
    """Return ``config`` with depths and accumulators enlarged as far as the network needs."""
    needs = required(net, config)
    return dataclasses.replace(
        config, **{name: max(value, getattr(config, name)) for name, value in needs.items()}
    )
