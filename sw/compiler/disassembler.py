"""Programs as text."""

from collections.abc import Sequence

from hw.arch import formats, isa
from hw.arch.isa import CENTRES, LEVELS, Dest, Instruction, Keep, Mod, Op, Pack, Res, Taps
from sw.compiler.addresses import PAIRED
from sw.compiler.records import Forecast, Label


def disassemble(
    code: Sequence[Instruction], labels: Sequence[Label], forecast: Sequence[Forecast]
) -> list[str]:
    """Return lines for each instruction: names, loops, addresses, what is computed."""
    out = []
    at = 0
    for i, label, told in zip(code, labels, forecast, strict=True):
        op = Op(i.op)
        written = [label.pooled] if label.pooled else label.tensor.split(",")
        writes = ", ".join(t for t in (*written, label.residual, label.mean) if t)
        out.append(
            f"{at:5d}  {op.name:4s}  {label.layer}  -> {writes or '-'}  [{told.cycles} cycles]"
        )
        if op != Op.HALT:
            out += [f"             {line}" for line in _details(op, i)]
        at += isa.NI + len(i.table)
    return out


def _table(words: tuple[int, ...]) -> list[str]:
    """Thresholds of membranes, eight in a line."""
    cells = [str(w) for w in words]
    return [f"thresholds {' '.join(cells[n : n + 8])}" for n in range(0, len(cells), 8)]


def _details(op: Op, i: Instruction) -> list[str]:
    if op == Op.TABLE:
        return ["kept for later runs"] * i.once + _table(i.table)
    loops = " ".join(f"{level}:{i.count(level)}" for level in LEVELS if i.count(level) > 1)
    flags = [
        name
        for name in (
            "xnor",
            "double",
            "rowpop",
            "soft",
            "flat",
            "x_twice",
            "y_twice",
            "odd_w",
            "factor_per_step",
            "head_align",
            "pool",
        )
        if getattr(i, name)
    ]
    if i.pack:
        flags.append(f"pack={Pack(i.pack).name}/{1 << i.slot_bytes_log2}B")
    if i.taps:
        flags.append(f"taps={Taps(i.taps).name}")
    if i.n_pix:
        flags.append(f"pixels={i.n_pix + 1}, at a row's end {i.last_pix + 1}")
    if i.spread:
        flags.append(f"spread={i.n_spread + 1}")
    lines = [
        f"loops {loops or '-'}  tile>={i.tile_min}  image {i.img_w}x{i.img_h}"
        f"  {' '.join(flags)}".rstrip()
    ]
    source = {Op.MAC: "row" if i.image else "pix", Op.MEAN: "res"}.get(op, "row")
    for name, prefix in ((source, "row"), ("col", "col")):
        if prefix == "col" and op in (Op.POOL, Op.MEAN):
            continue
        deltas = " ".join(_delta(i, prefix, level) for level in LEVELS if i.count(level) > 1)
        lines.append(f"{name} @{i.base(prefix):#06x}  {deltas}".rstrip())
    if i.n_par:
        lines.append(f"par @{i.par_base:#06x}  {i.n_par} words  j+{i.par_j} h+{i.par_h}")
    if op != Op.POOL:
        lines.append(f"lanes shift {formats.SHIFTS[i.shift]} theta {i.theta} last {i.lanes}")
    if op == Op.MAC:
        centres = [i.centre(k) for k in range(min(i.n_k, CENTRES))]
        if i.pix_shift or any(centres):
            lines.append(f"pixel << {i.pix_shift} - {centres}")
    if i.leak:
        where = f", in memory from group {i.st_base:#06x}" if i.persist else ""
        lines.append(
            f"membranes of {formats.STATE_BITS[i.state_bits]} bits "
            f"<< {formats.STATE_SHIFTS[i.state_shift]}{where}"
        )
    if i.shortcut:
        lines.append(
            f"shortcut @{i.sc_base:#06x}  group+{i.sc_gs} t+{i.sc_t} byte "
            f"{i.sc_byte}, a spike adds {i.sc_value}"
        )
    if i.res in (Res.ADD, Res.AVERAGE) or i.keep:
        kept = f", {Keep(i.keep).name} kept in {'AB'[i.res_dest]}" if i.keep else ""
        lines.append(f"res {Res(i.res).name}{kept}  group+{i.res_gs} j+{i.res_j}")
    if i.mean:
        lines.append(
            f"mean of {Keep(i.mean).name} @{i.mean_base:#06x}  shift {formats.SHIFTS[i.mean_shift]}"
        )
    if i.dest:
        text = (
            f"dest {Dest(i.dest).name} @{i.w_base:#06x}  group+{i.w_gs} per "
            f"{Mod(i.w_mod).name}  t+{i.w_t}  j+{i.w_j} per {i.slots} slots"
        )
        if i.dest == Dest.ROW_TAPS:
            text += f"  {Pack(i.w_pack).name}/{1 << i.w_slot_log2}B width {i.w_img_w}"
        if i.w_mod == Mod.PAIR:
            text += f"  odd columns+{i.w_half}"
        if i.dest == Dest.ROW_CHANNEL:
            text += f"  channels+{i.w_chan_gs}"
        lines.append(text)
    return lines


def _delta(i: Instruction, prefix: str, level: str) -> str:
    """A level's delta, both where odd indices have another."""
    text = f"{level}{i.delta(prefix, level):+d}"
    odd = i.delta(prefix, level, odd=level in PAIRED)
    return text if odd == i.delta(prefix, level) else f"{text}/{odd:+d}"
