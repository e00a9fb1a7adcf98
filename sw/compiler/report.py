"""What a program costs, as text: cycles, memories, membranes."""

import math
from dataclasses import dataclass

from hw.arch import formats, parts
from hw.arch.isa import Op
from hw.arch.schedule import block_words
from hw.common.show import table
from sw.compiler.plan.layout import ceil_div
from sw.compiler.program import Program
from sw.compiler.records import by_layer

_MEMORIES = {
    "row": "row_depth",
    "col": "col_depth",
    "res": "res_depth",
    "pix": "pix_depth",
    "prog": "prog_depth",
}
WIDTHS = (*formats.STATE_BITS, formats.MEMBRANE_BITS)


@dataclass(frozen=True, kw_only=True)
class Membranes:
    """The membranes of a program's neurons.

    Attributes
    ----------
    count : int
        Neurons, true sizes without padding.
    bits : tuple of int
        Widths in use; 18 where neurons keep what they have.
    in_memory : bool
        They lie in residual buffer A from run to run; else only a tile's are there at a time,
        in the lanes.
    words : dict
        Width to the words of each lane's buffer that all take; zeros where they are in lanes.
    """

    count: int
    bits: tuple[int, ...]
    in_memory: bool
    words: dict[int, int]

    def total(self, width: int) -> int:
        """Bits that all membranes take at a width."""
        return self.count * width


def membranes(program: Program) -> Membranes:
    """Count the membranes of a program, and what they take at each width."""
    c = program.config
    count, used = 0, set()
    words: dict[int, int] = dict.fromkeys(WIDTHS, 0)
    for i, label in zip(program.instructions(), program.labels, strict=True):
        if not i.theta:
            continue
        used.add(formats.STATE_BITS[i.state_bits] if i.leak else formats.MEMBRANE_BITS)
        count += 0 if label.first else math.prod(label.shape)
        if i.persist:
            codes = i.n_j * i.res_j * c.rows
            for width in WIDTHS:  # two bytes of codes to a word
                words[width] += ceil_div(codes * width, 16) if width < 16 else codes
    return Membranes(count=count, bits=tuple(sorted(used)), in_memory=program.stream, words=words)


def membrane_text(program: Program) -> str:
    """Return where the membranes are, and what they take at each width."""
    c, m = program.config, membranes(program)
    widths = " and ".join(map(str, m.bits))
    if not m.in_memory:
        sizes = ", ".join(f"{m.total(w)} bits at {w}" for w in WIDTHS)
        return (
            f"{m.count} membranes of {widths} bits, {c.rows} x {c.cols} at a time in the "
            f"lanes, none in memory (there they would take {sizes})"
        )
    rows = [
        (f"{w} bits{', as compiled' if m.bits == (w,) else ''}", m.total(w), m.words[w])
        for w in WIDTHS
    ]
    return "\n".join(
        [
            f"{m.count} membranes of {widths} bits in residual buffer A",
            table(("at", "bits", "words per lane"), rows),
        ]
    )


def part_text(program: Program, found: parts.Fit) -> str:
    """Return which RAMs of a part the core's memories take, and whether they are there."""
    rows = [
        (m.name, m.count, m.width, m.depth, kind, f"{n} bits" if kind == "registers" else n)
        for m, kind, n in found.rows
    ]
    totals = ", ".join(f"{found.used[r.name]} of {r.count} {r.name}" for r in found.part.rams)
    held = sum(n for _, kind, n in found.rows if kind == "registers")
    return "\n".join(
        [
            f"memories on {found.part.title}",
            table(("memory", "banks", "bits", "words", "in", "takes"), rows),
            "",
            f"{program.name} {'DOES NOT FIT' if found.faults else 'FITS'}: {totals}, {held} bits "
            "in registers; logic is not counted here",
            *found.faults,
        ]
    )


def outside_text(program: Program) -> str:
    """Return what comes from outside: words and blocks of each layer, and waits for them."""
    c, code = program.config, program.instructions()
    stalls = by_layer(program.labels, program.stalls())
    rows = []
    for i, label in zip(code, program.labels, strict=True):
        if i.op == Op.MOVE:
            size = block_words(c, i)
            rows.append((label.layer, i.n_j, i.n_k, 4 * i.n_j * size, stalls[label.layer]))
    layers: dict[str, tuple] = {}
    for layer, blocks, words, traffic, waits in rows:  # a layer may run in pieces
        before = layers.get(layer, (layer, 0, 0, 0, 0))
        layers[layer] = (
            layer,
            before[1] + blocks,
            max(before[2], words),
            before[3] + traffic,
            waits,
        )
    total = ("total", "", "", sum(r[3] for r in layers.values()), sum(stalls.values()))
    k = program.contract
    return "\n".join(
        [
            f"from outside, to two halves of {c.block_depth} words a bank; of a memory whose first "
            f"word comes after {k.latency} cycles, the others {k.period} apart",
            table(
                ("layer", "blocks", "words of a bank", "bytes", "cycles of waiting"),
                [*layers.values(), total],
            ),
        ]
    )


def _first(program: Program) -> str:
    """What the run that loads a table takes, where later ones take less."""
    first = program.first_cycles
    return f" ({first} in the first run, which loads the table)" if first != program.cycles else ""


def report(program: Program) -> str:
    """Return forecast, memory map, membranes and share of peak as text."""
    c, ops = program.config, dict(program.ops)
    rows = []
    whole: dict[str, int] = {}  # cycles of a layer, which may run in pieces
    for f in program.forecast:
        if f.op == Op.GEMM.name:
            whole[f.layer] = whole.get(f.layer, 0) + f.cycles
    for f in program.forecast:
        done = 0
        if f.op == Op.GEMM.name:
            done = round(ops.get(f.layer, 0) * f.cycles / whole[f.layer])
        rows.append(
            (
                f.layer,
                f.op,
                f.cycles,
                f"{100 * f.cycles / program.cycles:.1f} %",
                done,
                f"{100 * done / (f.cycles * c.peak):.0f} %" if done else "-",
            )
        )
    rows.append(
        ("total", "", program.cycles, "100.0 %", program.total_ops, f"{100 * program.share:.1f} %")
    )
    memory = []
    for name, depth in _MEMORIES.items():
        mine = [r for r in program.regions if r.memory == name]
        top = max((r.base + r.size for r in mine), default=0)
        memory += [(f"{name}  {r.name}", r.base, r.size) for r in mine]
        memory.append((f"{name}  used, of {getattr(c, depth)}", "", top))
    outside = [outside_text(program), ""] if program.outside.size else []
    steps = f"{program.steps} step{'s' * (program.steps != 1)}"
    unit = "stream of images" if program.stream else steps
    return "\n".join(
        [
            f"{program.name} on {c.rows} rows x {c.cols} columns x {c.width} bits, {unit}",
            "",
            table(("layer", "op", "cycles", "share", "binary ops", "of peak"), rows),
            "",
            table(("memory", "base", "words"), memory),
            "",
            *outside,
            membrane_text(program),
            "",
            f"{program.cycles} cycles{_first(program)}, {program.total_ops} binary operations: "
            f"{100 * program.share:.1f} % of the peak of {c.peak} per cycle",
        ]
    )
