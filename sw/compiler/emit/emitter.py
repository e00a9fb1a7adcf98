"""Appends instructions, labels and needs; what every layer's mapping has in common."""

from collections.abc import Mapping
from typing import Any

from hw.arch import formats, isa, timing
from hw.arch.isa import Keep, Mod, Op, Res
from hw.arch.memmap import MOST_WORDS
from sw.compiler.addresses import Stride, stream
from sw.compiler.emit.constants import Block, Constants
from sw.compiler.plan.numbering import Numbering
from sw.compiler.plan.placement import Placement
from sw.compiler.plan.residuals import Access
from sw.compiler.records import Label
from sw.network import IntegerNetwork, Layer
from sw.network.layers import neuron_of

ADDRESSES = (
    "par_base",
    "w_base",
    "w_gs",
    "w_t",
    "w_j",
    "row_gs",
    "w_half",
    "sc_base",
    "sc_gs",
    "sc_t",
    "mean_base",
)


TILES = ("n_dy", "pad_y", "y_twice", "img_h", "n_y")  #: Which rows are in the image.


def _first_rows(op: Op, fields: Mapping[str, int]) -> list[int] | None:
    """First dy of the tiles of each output row, where words of rows outside the image are left out.

    So it is where each output row has others; None where all rows are in the image.
    """
    if op not in (Op.GEMM, Op.MAC, Op.POOL):
        return None
    values: dict[str, Any] = {name: fields.get(name, 0) for name in TILES}
    i = isa.Instruction(op=op, clip=1, **values)
    rows = [(i.first_dy(y), i.end_dy(y)) for y in range(i.n_y)]
    some = all(a < b for a, b in rows) and any(row != (0, i.n_dy) for row in rows)
    return [first for first, _ in rows] if some else None


class Emitter:
    """A program under construction.

    Attributes
    ----------
    ops
        As in `Program`.
    needs : dict
        Least value of each setting in `mapper.FITTABLE`.
    problems : list of str
        What no depth of memory would cure.
    """

    def __init__(self, net: IntegerNetwork, place: Placement, constants: Constants):
        self.net, self.config, self.steps = net, place.config, net.steps
        self._made: list[tuple[list[int], Label]] = []  # instructions with what follows them
        self._blocks: list[tuple[int, list[int], Label]] = []  # what wants them; moves, labels
        self.ops: list[tuple[str, int]] = []
        self.place, self.constants = place, constants
        self.problems = [*self.constants.problems, *self.place.residuals.problems]
        self.needs = {f"{name}_depth": n for name, n in self.place.depth.items()}
        self.needs |= {"pool_depth": self.place.fusions.line}
        self.needs |= {"acc_bits": 0, "state_bits": 0, "res_bits": 1}
        self._table: tuple[int, ...] = ()
        self._tables: list[int] = []  # which of them load tables

    @property
    def words(self) -> list[int]:
        """Program memory, as far as it is made."""
        return [word for words, _ in self._made for word in words]

    @property
    def labels(self) -> list[Label]:
        """Of its instructions."""
        return [label for _, label in self._made]

    def emit(
        self,
        op: Op,
        label: Label,
        row: Mapping[str, Stride],
        col: Mapping[str, Stride],
        *,
        row_base: int = 0,
        col_base: int = 0,
        **fields: int,
    ) -> None:
        """Encode one instruction; ``row`` and ``col`` are strides."""
        clipped = _first_rows(op, fields)
        first = clipped or (0,)
        block = self.constants.blocks.get(label.layer)
        if block is not None:
            col = {level: stride for level, stride in col.items() if level not in ("j", "h")}
            col_base = block.params
            fields |= {"outside": 1, "par_base": 0, "par_j": 0, "par_h": 0}
            self._order(block, label, fields["n_j"] * fields["n_h"])
        fields |= {"clip": int(clipped is not None)}
        fields |= stream("row", fields, row, row_base, first)
        fields |= stream("col", fields, col, col_base, first)
        for name in ADDRESSES:
            if name in fields:  # a memory too deep is reported as such, not as an address
                fields[name] %= MOST_WORDS
        bad = {}
        for name, value in fields.items():
            f = isa.BY_NAME[name]
            if not f.holds(value):
                self.problems.append(
                    f"layer {label.layer!r}: {f.doc} is {value}, but instruction field {name} "
                    f"holds {f.least} to {f.most}"
                )
                bad[name] = 0
        values = {k: int(v) for k, v in (fields | bad).items()}
        self._made.append((timing.encode(self.config, op, **values), label))

    def _order(self, block: Block, label: Label, count: int) -> None:
        """Note that the next instruction wants ``count`` blocks of a layer, and how they come."""
        most = isa.BY_NAME["n_j"].most
        if count > most:
            self.problems.append(
                f"layer {label.layer!r}: {count} column tiles, but a move brings at most {most}"
            )
            count = most
        words = self.config.cols * self.config.width // 32 * block.words
        addr = block.addr + label.first // self.config.cols * words
        place = {"out_low": addr % MOST_WORDS, "out_high": addr // MOST_WORDS}
        move = isa.encode(Op.MOVE, n_k=block.words, n_j=count, **place)
        moves = Label(layer=label.layer, op=Op.MOVE.name)
        self._blocks.append((len(self._made), move, moves))

    def _place_moves(self) -> None:
        """Put each move before the instruction that wants the blocks of the move before it.

        So blocks come while what does not want them is computed; the first move begins the run.
        """
        places = [0, *(at for at, _, _ in self._blocks)]
        for place, (_, move, label) in reversed(list(zip(places, self._blocks, strict=False))):
            self._made.insert(place, (move, label))

    def halt(self) -> None:
        """Append HALT; a table that is the only one goes to the front, to be loaded once."""
        self._made.append((isa.encode(Op.HALT), Label(layer="(end)", op=Op.HALT.name)))
        once = []
        if len(self._tables) == 1:
            words, label = self._made[self._tables[0]]
            table = isa.decode(words[: isa.NI])
            fields = {"n_k": table.n_k, "state_shift": table.state_shift, "once": 1}
            once = [([*isa.encode(Op.TABLE, **fields), *words[isa.NI :]], label)]
            self._made[self._tables[0]] = ([], label)
        self._place_moves()
        self._made = [*once, *(made for made in self._made if made[0])]

    def count(self, depth: int, *, both_signs: bool = False) -> None:
        """Note that an element counts up to ``depth``, or from minus that."""
        bits = depth.bit_length() + 1
        if bits <= formats.ACC_BITS[1] and depth > formats.most_count(bits, both_signs=both_signs):
            bits += 1
        self.needs["acc_bits"] = max(self.needs["acc_bits"], bits)

    def last_lanes(self, channels: int) -> int:
        """Valid lanes of the last column tile."""
        return (channels - 1) % self.config.cols + 1

    # ---- lanes -----------------------------------------------------------------------------

    def neuron(self, layer: Layer) -> dict[str, int]:
        """Fields of a layer's shift and neuron; loads the thresholds of its membranes."""
        arithmetic: Any = getattr(layer, "affine", layer)
        out = {"shift": formats.SHIFTS.index(arithmetic.shift)}
        neuron = neuron_of(layer)
        if neuron is None:
            return out
        out |= {"theta": int(neuron.theta), "soft": int(neuron.soft)}
        if neuron.state is not None:
            bits = neuron.state.bits
            self.needs["state_bits"] = max(self.needs["state_bits"], bits)
            shift = formats.STATE_SHIFTS.index(neuron.state.shift)
            self._load_table(layer.name, shift, neuron.state.thresholds.tolist())
            out |= {"leak": 1, "state_shift": shift, "state_bits": formats.STATE_BITS.index(bits)}
        return out

    def _load_table(self, layer: str, shift: int, thresholds: list[int]) -> None:
        """Append a TABLE instruction unless this table is there already."""
        words = [v for v in thresholds if v <= formats.STATE_MAX]
        table = (formats.state_cell(formats.STATE_SHIFTS[shift]), *words)
        if table != self._table:
            self._table = table
            self._tables.append(len(self._made))
            code = [*isa.encode(Op.TABLE, n_k=len(words), state_shift=shift), *words]
            self._made.append((code, Label(layer=layer, op=Op.TABLE.name)))

    def tile_min(self, least: int, fields: dict[str, int]) -> int:
        """Least cycles of a tile; membranes stored as codes need some."""
        return max(least, timing.STATE_GAP if fields.get("leak") else 0)

    def written(self, layer: Layer, width: int) -> dict[str, int]:
        """Fields of where a layer's tokens go: numbering, spikes, residual, codes.

        ``width``: of the layer's image. Where a pool is fused, its windows go to the pool's place.
        """
        residuals = self.place.residuals
        numbering = self.place.numbers.layer[layer.name]
        access = residuals.access.get(layer.name, Access())
        fields = numbering.fields()
        neuron, name = neuron_of(layer), self.place.fusions.writes(layer)
        if name is not None and name in self.place.layouts:
            layout = self.place.layouts[name]
            width = self.place.shape[name][2] if layer.name in self.place.fusions.pools else width
            fields |= layout.write_fields(self.config, self.place.base[name], width)
            fields["flat"] = int(layout.flat)
            if numbering == Numbering.PAIR:
                fields["w_mod"] = Mod.PAIR
        fields |= {"res": access.res, "keep": access.keep, "res_dest": access.dest}
        persist = self.net.stream and neuron is not None and neuron.state is not None
        if persist:
            fields |= {"persist": 1, "st_base": residuals.codes[layer.name]}
        if persist or access.keep != Keep.NONE or access.res in (Res.ADD, Res.AVERAGE):
            fields |= {"res_gs": self.steps, "res_j": self.steps * residuals.groups(layer)}
            if persist or access.keep != Keep.SPIKE or access.res in (Res.ADD, Res.AVERAGE):
                self.needs["res_bits"] = formats.MEMBRANE_BITS
        return fields

    def tensors(self, layer: Layer) -> dict[str, Any]:
        """Entries of a label: the tensors that a layer leaves in memory."""
        neuron = neuron_of(layer)
        return {
            "tensor": neuron.name if neuron is not None else "",
            "residual": self.place.uses.residual(layer) or "",
        }
