"""Integer network to instructions."""

import dataclasses
from typing import Any

from hw.arch import formats, isa
from hw.arch.config import Config
from hw.arch.isa import LEVELS, Dest, Op, Pack, Res, Step
from sw.compiler.constants import Constants
from sw.compiler.layout import ceil_div
from sw.compiler.placement import Placement
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
    SpikePool,
)

#: Settings that follow from the network, and what they are settings of.
FITTABLE = {
    "row_depth": "row memory: {} words per bank",
    "col_depth": "column memory: {} words per bank",
    "res_depth": "residual memory: {} words per bank",
    "pix_depth": "pixel memory: {} words",
    "prog_depth": "program memory: {} words",
    "acc_bits": "element accumulators: {} bits",
}


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
    labels, ops
        As in `Program`.
    needs : dict
        Least value of each setting in `FITTABLE`.
    """

    def __init__(self, net: IntegerNetwork, config: Config):
        self.net, self.config, self.steps = net, config, net.steps
        self.words: list[int] = []
        self.labels: list[Label] = []
        self.ops: list[tuple[str, int]] = []
        self.place = Placement(net, config)
        self.constants = Constants(self.place, config)
        self.place.place_tensors(self.constants.size)
        self.problems = list(self.constants.problems)
        self.needs = {f"{name}_depth": n for name, n in self.place.depth.items()}
        self.needs["acc_bits"] = 0
        self._emit_all()
        self.needs["prog_depth"] = len(self.words)
        self.regions = [
            *self.place.regions, Region(name="program", memory="prog", base=0, size=len(self.words))
        ]

    def _emit(self, op: Op, label: Label, row: dict, col: dict, **fields: int) -> None:
        """Encode one instruction; ``row`` and ``col`` are strides with their ``base``."""
        for prefix, strides in (("row", row), ("col", col)):
            fields |= stream(prefix, fields, strides, strides.get("base", 0))
        for name in ("par_base", "w_base", "w_gs", "w_t", "w_j", "row_gs"):
            if name in fields:  # a memory too deep is reported as such, not as an address
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

    def _count(self, depth: int) -> None:
        """Note that an element counts up to ``depth``."""
        self.needs["acc_bits"] = max(self.needs["acc_bits"], depth.bit_length() + 1)

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
                case Mean() if layer.name in self.constants.params:
                    run = next(r for r in self.place.mean_runs if r[max(r)] is layer)
                    self._emit_mean(run, self.constants.params[layer.name])
                case Head():
                    self._emit_head(layer)
        self.words += isa.encode(Op.HALT)
        self.labels.append(Label(layer="(end)", op=Op.HALT.name))

    def _neuron(self, layer: Layer) -> dict[str, int]:
        arithmetic: Any = getattr(layer, "affine", layer)
        out = {"shift": formats.SHIFTS.index(arithmetic.shift)}
        neuron = getattr(layer, "neuron", None)
        if neuron is not None:
            out |= {"theta": int(neuron.theta), "soft": int(neuron.soft)}
        return out

    def _last_lanes(self, channels: int) -> int:
        return (channels - 1) % self.config.cols + 1

    def _emit_pixel(self, layer: PixelConv) -> None:
        c, name = self.config, layer.neuron.name
        out, channels, kh, kw = layer.weight.shape
        _, h, w = self.place.shape[name]
        if layer.padding not in (0, 1):
            raise self.place.fail(layer.name, f"padding {layer.padding} is not 0 or 1")
        centre = [int(v) for v in layer.centre]
        if any(v != centre[k % 4] for k, v in enumerate(centre)):
            raise self.place.fail(layer.name, "channels k and k + 4 must have the same centre")
        centre += [0] * (4 - len(centre))
        frame = channels * self.net.height * self.net.width
        spread = not self.net.per_step_input
        params, weights = self.constants.params[layer.name], self.constants.weights[layer.name]
        counts = {"n_k": channels, "n_dx": kw, "n_dy": kh, "n_t": 1 if spread else self.steps,
                  "n_x": w, "n_y": h, "n_j": ceil_div(out, c.cols), "n_h": 1}
        line = self.net.width
        self._emit(
            Op.MAC,
            Label(layer=layer.name, op=Op.MAC.name, tensor=name, kind="spikes",
                  shape=self.place.shape[name]),
            row={"base": -layer.padding * (line + 1), "k": self.net.height * line, "dx": 1,
                 "dy": line, "t": frame, "x": 1, "y": line},
            col={"base": weights, "k": 1, "dx": channels, "dy": channels * kw,
                 "j": channels * kw * kh},
            **counts, img_w=self.net.width, img_h=self.net.height,
            shift_left=layer.padding, pad_y=layer.padding,
            spread=int(spread), n_spread=self.steps - 1 if spread else 0,
            tile_min=max(2, self.steps if spread else 1), n_step=Step.ONE, n_par=2,
            par_base=params, par_j=2, par_h=2, flat=int(self.place.layouts[name].flat),
            pix_shift=layer.pixel_shift, lanes=self._last_lanes(out),
            **{f"centre{k}": v for k, v in enumerate(centre[:4])},
            **self.place.layouts[name].write_fields(c, self.place.base[name], w),
            **self._neuron(layer),
        )

    def _emit_binary(self, layer: BinaryLayer) -> None:
        c, source = self.config, self.place.layouts[layer.source]
        _, h, w = self.place.shape[layer.source]
        out, channels, kh, kw = layer.weight.shape
        if source.dest not in (Dest.ROW, Dest.ROW_TAPS) or source.head_words:
            raise self.place.fail(
                layer.name, f"cannot read {layer.source!r}: attention reads it too"
            )
        depth = channels * kh * kw
        self._count(depth)
        three = kh == 3
        if source.flat:
            h, w = 1, h * w
        slots = self.constants.tile_channels(layer)
        heads, tiles, _ = slots.shape
        n_dx = {Pack.NONE: kw, Pack.PAIR: 2, Pack.TRIPLE: 1}[source.pack]
        across = ceil_div(w, c.rows)
        counts = {"n_k": source.words, "n_dx": n_dx, "n_dy": kh, "n_t": self.steps,
                  "n_x": across, "n_y": h, "n_j": tiles, "n_h": heads}
        words = source.words * n_dx * kh
        params, weights = self.constants.params[layer.name], self.constants.weights[layer.name]
        fields = {"res": Res.NONE}
        flat = 1
        if layer.neuron is not None:
            name = layer.neuron.name
            target = self.place.layouts[name]
            fields |= target.write_fields(c, self.place.base[name], w)
            flat = int(target.flat)
            if target.dest in (Dest.COL_TOKEN, Dest.COL_CHANNEL, Dest.ROW_CHANNEL) and h > 1:
                raise self.place.fail(layer.name, "attention operands must come from flat tokens")
        if layer.residual is not None:
            op, dest = self.place.residual_op[layer.name]
            _, oh, ow = self.place.shape[layer.residual.output]
            groups = self.place.groups(oh * ow)
            if not flat and ow % c.rows:
                raise self.place.fail(layer.name, "a layer with residual cannot feed a 3x3 layer")
            fields |= {"res": op, "res_dest": dest, "res_gs": self.steps,
                       "res_j": self.steps * groups}
        label = Label(
            layer=layer.name, op=Op.GEMM.name,
            tensor=layer.neuron.name if layer.neuron is not None else "",
            residual=layer.residual.output if layer.residual is not None else "",
            kind="spikes", shape=(out, *self.place.shape[layer.source][1:]),
            head_width=out // heads if heads > 1 else 0,
        )
        line = across * source.group
        self._emit(
            Op.GEMM, label,
            row={"base": self.place.base[layer.source] - (line if three else 0), "k": 1, "dy": line,
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
        pixels = self.place.shape[layer.source][1] * self.place.shape[layer.source][2]
        self.ops.append((layer.name, out * depth * pixels * self.steps))

    def _emit_pool(self, layer: SpikePool) -> None:
        c, layouts = self.config, self.place.layouts
        source, target = layouts[layer.source], layouts[layer.name]
        _, h, w = self.place.shape[layer.source]
        if source.flat or source.pack or source.dest != Dest.ROW or target.flat:
            raise self.place.fail(layer.name, "a pool can stand between image layouts only")
        across = ceil_div(w, c.rows)
        line = across * source.group
        write = target.write_fields(c, self.place.base[layer.name], self.place.shape[layer.name][2])
        self._emit(
            Op.POOL,
            Label(layer=layer.name, op=Op.POOL.name, tensor=layer.name, kind="spikes",
                  shape=self.place.shape[layer.name]),
            row={"base": self.place.base[layer.source] - line, "dy": line, "t": source.words,
                 "x": source.group, "y": 2 * line, "j": 1},
            col={},
            n_k=1, n_dx=2, n_dy=3, n_t=self.steps, n_x=across, n_y=ceil_div(h, 2),
            n_j=source.words, n_h=1, img_w=w, img_h=h, shift_left=1, pad_y=1, y_twice=1,
            n_step=Step.HALF, tile_min=max(6, c.rows), row_gs=source.group, lanes=c.cols,
            **write | {"slots": 1},
        )

    def _emit_map(self, layer: AttentionMap) -> None:
        c, name = self.config, layer.neuron.name
        left, right, target = (self.place.layouts[n] for n in (layer.left, layer.right, name))
        channels, h, w = self.place.shape[layer.left]
        tokens, width = h * w, channels // layer.heads
        qk, xnor = layer.order == "qk", layer.similarity == "xnor"
        if xnor and not qk:
            raise self.place.fail(layer.name, "XNOR similarity exists in the QK order only")
        depth, side = (width, tokens) if qk else (tokens, width)
        self._count(depth)
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
        params = self.constants.params[layer.name]
        self._emit(
            Op.GEMM,
            Label(layer=layer.name, op=Op.GEMM.name, tensor=name, kind="map",
                  shape=self.place.shape[name], head_width=side, transposed=not qk),
            row={"base": self.place.base[rows], **row}, col={"base": self.place.base[cols], **col},
            n_k=n_k, n_dx=1, n_dy=1, n_t=self.steps, n_x=ceil_div(side, c.rows), n_y=1,
            n_j=tiles, n_h=layer.heads, xnor=int(xnor), rowpop=int(xnor), flat=1,
            n_step=Step.ROWS, n_par=2, par_base=params, par_j=0, par_h=0, tile_min=c.rows,
            img_w=side, img_h=1, row_gs=row_gs, lanes=self._last_lanes(side),
            **target.write_fields(c, self.place.base[name], side), **self._neuron(layer),
        )
        self.ops.append((layer.name, layer.heads * side * side * depth * self.steps))

    def _emit_apply(self, layer: AttentionApply) -> None:
        c, name = self.config, layer.neuron.name
        source, bits, target = (self.place.layouts[n] for n in (layer.source, layer.map, name))
        channels, h, w = self.place.shape[name]
        tokens, width = h * w, channels // layer.heads
        qk = layer.order == "qk"
        depth = tokens if qk else width
        self._count(depth)
        if not target.flat:
            raise self.place.fail(layer.name, "the output of attention must feed 1x1 layers")
        made = self.net.layers[self.place.maker[layer.map]]
        if not isinstance(made, AttentionMap) or made.order != layer.order:
            raise self.place.fail(layer.name, f"{layer.map!r} is no map of order {layer.order}")
        tiles = ceil_div(width, c.cols)
        left, right = (bits, source) if qk else (source, bits)
        rows, cols = (layer.map, layer.source) if qk else (layer.source, layer.map)
        row = {"base": self.place.base[rows], "k": 1, "t": left.words, "x": left.group,
               "h": left.head_words}
        if qk:
            col = {"h": tiles * right.group}
        else:
            col = {"h": right.head_words}
        col |= {"base": self.place.base[cols], "k": 1, "t": right.words, "j": right.group}
        params = self.constants.params[layer.name]
        self._emit(
            Op.GEMM,
            Label(layer=layer.name, op=Op.GEMM.name, tensor=name, kind="spikes",
                  shape=self.place.shape[name], head_width=width),
            row=row, col=col,
            n_k=left.head_words, n_dx=1, n_dy=1, n_t=self.steps, n_x=ceil_div(tokens, c.rows),
            n_y=1, n_j=tiles, n_h=layer.heads, flat=1, n_step=Step.ROWS,
            n_par=1 + self.steps, factor_per_step=1, par_base=params, par_j=0,
            par_h=1 + self.steps, tile_min=c.rows, img_w=tokens, img_h=1, row_gs=left.group,
            lanes=self._last_lanes(width),
            **target.write_fields(c, self.place.base[name], tokens), **self._neuron(layer),
        )
        self.ops.append((layer.name, channels * tokens * depth * self.steps))

    def _emit_mean(self, run: dict[int, Mean], params: int) -> None:
        c = self.config
        first = run[min(run)]
        channels, h, w = self.place.shape[first.source]
        groups, tiles = ceil_div(h * w, c.rows), ceil_div(channels, c.cols)
        base = self.place.feature_base + min(
            self.place.features[m.name][0] - b * tiles * c.cols for b, m in run.items()
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
        c, features = self.config, self.place.feature_count
        params, weights = self.constants.params[layer.name], self.constants.weights[layer.name]
        classes = len(layer.weight)
        self._emit(
            Op.MAC,
            Label(layer=layer.name, op=Op.MAC.name, tensor=layer.name, kind="values",
                  shape=(classes,)),
            row={"base": self.place.feature_base, "k": 1},
            col={"base": weights, "k": 1, "j": features},
            n_k=features, n_dx=1, n_dy=1, n_t=1, n_x=1, n_y=1, n_j=ceil_div(classes, c.cols),
            n_h=1, img_w=1, img_h=1, tile_min=c.cols, n_step=Step.ONE, n_par=2, par_base=params,
            par_j=2, par_h=2, dest=Dest.PIX, w_base=self.place.logits_base, w_j=c.cols, slots=1,
            lanes=self._last_lanes(classes), **self._neuron(layer),
        )

    # ---- fit -------------------------------------------------------------------------------

    def misfits(self) -> list[str]:
        """Return one line per thing that does not fit ``config``."""
        out = list(self.problems)
        for field, text in FITTABLE.items():
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
    return {name: max(needs[name], 8 if name == "acc_bits" else 64) for name in FITTABLE}


def fit_config(net: IntegerNetwork, config: Config) -> Config:
    """Return ``config`` with depths and accumulators enlarged as far as the network needs."""
    needs = required(net, config)
    return dataclasses.replace(
        config, **{name: max(value, getattr(config, name)) for name, value in needs.items()}
    )
