"""Programs as text."""

from hw.arch import formats, isa
from hw.arch.isa import LEVELS, Dest, Mod, Op, Pack, Res
from sw.compiler.program import Program


def disassemble(program: Program) -> str:
    """Return one block of lines per instruction: names, loops, addresses, what is computed."""
    c = program.config
    out = [
        f"program {program.name}: {len(program.words)} words, {program.cycles} cycles, "
        f"R = {c.rows}, C = {c.cols}, W = {c.width}, T = {program.steps}, "
        f"digest {program.digest:#010x}"
    ]
    code = program.instructions()
    for n, (i, label, forecast) in enumerate(
        zip(code, program.labels, program.forecast, strict=True)
    ):
        op = Op(i["op"])
        writes = ", ".join(t for t in (*label.tensor.split(","), label.residual) if t)
        out.append(f"{n * isa.NI:5d}  {op.name:4s}  {label.layer}  -> {writes or '-'}"
                   f"  [{forecast.cycles} cycles]")
        if op != Op.HALT:
            out += [f"             {line}" for line in _details(op, i)]
    return "\n".join(out) + "\n"


def _details(op: Op, i: dict[str, int]) -> list[str]:
    loops = " ".join(f"{level}:{i[f'n_{level}']}" for level in LEVELS if i[f"n_{level}"] > 1)
    flags = [name for name in ("xnor", "double", "rowpop", "soft", "flat", "y_twice",
                               "factor_per_step", "head_align") if i[name]]
    if i["pack"]:
        flags.append(f"pack={Pack(i['pack']).name}/{1 << i['slot_bytes_log2']}B")
    if i["spread"]:
        flags.append(f"spread={i['n_spread'] + 1}")
    lines = [
        f"loops {loops or '-'}  tile>={i['tile_min']}  image {i['img_w']}x{i['img_h']}"
        f"  {' '.join(flags)}".rstrip()
    ]
    source = {Op.MAC: "pix", Op.MEAN: "res"}.get(op, "row")
    for name, prefix in ((source, "row"), ("col", "col")):
        if prefix == "col" and op in (Op.POOL, Op.MEAN):
            continue
        deltas = " ".join(
            f"{level}{i[f'{prefix}_{level}']:+d}" for level in LEVELS if i[f"n_{level}"] > 1
        )
        lines.append(f"{name} @{i[f'{prefix}_base']:#06x}  {deltas}".rstrip())
    if i["n_par"]:
        lines.append(f"par @{i['par_base']:#06x}  {i['n_par']} words  "
                     f"j+{i['par_j']} h+{i['par_h']}")
    if op != Op.POOL:
        lines.append(f"lanes shift {formats.SHIFTS[i['shift']]} theta {i['theta']} "
                     f"last {i['lanes']}")
    if op == Op.MAC and i["pix_shift"]:
        lines.append(f"pixel << {i['pix_shift']} - "
                     f"{[i[f'centre{k}'] for k in range(4)]}")
    if i["res"]:
        lines.append(f"res {Res(i['res']).name} into {'AB'[i['res_dest']]}  "
                     f"group+{i['res_gs']} j+{i['res_j']}")
    if i["dest"]:
        text = (f"dest {Dest(i['dest']).name} @{i['w_base']:#06x}  group+{i['w_gs']} per "
                f"{Mod(i['w_mod']).name}  t+{i['w_t']}  j+{i['w_j']} per {i['slots']} slots")
        if i["dest"] == Dest.ROW_TAPS:
            text += (f"  {Pack(i['w_pack']).name}/{1 << i['w_slot_log2']}B"
                     f" width {i['w_img_w']}")
        if i["dest"] == Dest.ROW_CHANNEL:
            text += f"  channels+{i['w_chan_gs']}"
        lines.append(text)
    return lines
