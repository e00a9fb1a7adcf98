"""``python -m sw.compiler MODEL``: compile, forecast, disassemble."""

import argparse
import dataclasses
import sys
import zipfile

from hw.arch.config import Config
from hw.arch.errors import SpikeloomError
from sw.compiler.compile import compile_network
from sw.compiler.mapper import fit_config
from sw.compiler.program import Program
from sw.network import IntegerNetwork

_MEMORIES = {"row": "row_depth", "col": "col_depth", "res": "res_depth", "pix": "pix_depth",
             "prog": "prog_depth"}


def parse_config(text: str) -> Config:
    """Return the configuration that ``name=value,...`` describes; others keep their default."""
    values = {}
    names = [f.name for f in dataclasses.fields(Config)]
    for item in filter(None, text.split(",")):
        name, _, value = (part.strip() for part in item.partition("="))
        if name not in names:
            raise SpikeloomError(
                f"core configuration has no field {name!r}; fields are {', '.join(names)}"
            )
        try:
            values[name] = int(value)
        except ValueError:
            raise SpikeloomError(f"core configuration: {name} = {value!r} is no integer") from None
    return Config(**values)


def read_network(source: str) -> IntegerNetwork:
    """Return an integer network that was saved, or lower the float network ``source`` names."""
    try:
        with zipfile.ZipFile(source) as z:
            saved = "json.npy" in z.namelist()
    except (OSError, zipfile.BadZipFile):
        saved = False
    if saved:
        return IntegerNetwork.load(source)
    import sw

    return sw.load(source).lower()


def _table(head: tuple[str, ...], rows: list[tuple]) -> str:
    """Return aligned columns; the first is text, the others numbers."""
    text = [head, *[tuple(str(v) for v in row) for row in rows]]
    width = [max(len(row[n]) for row in text) for n in range(len(head))]
    return "\n".join(
        "  ".join(v.ljust(w) if n == 0 else v.rjust(w)
                  for n, (v, w) in enumerate(zip(row, width, strict=True))).rstrip()
        for row in text
    )


def report(program: Program) -> str:
    """Return forecast, memory map and share of peak as text."""
    c, ops = program.config, dict(program.ops)
    rows = []
    for f in program.forecast:
        done = ops.get(f.layer, 0)
        rows.append((f.layer, f.op, f.cycles, f"{100 * f.cycles / program.cycles:.1f} %", done,
                     f"{100 * done / (f.cycles * c.peak):.0f} %" if done else "-"))
    rows.append(("total", "", program.cycles, "100.0 %", program.total_ops,
                 f"{100 * program.share:.1f} %"))
    memory = []
    for name, depth in _MEMORIES.items():
        mine = [r for r in program.regions if r.memory == name]
        top = max((r.base + r.size for r in mine), default=0)
        memory += [(f"{name}  {r.name}", r.base, r.size) for r in mine]
        memory.append((f"{name}  used, of {getattr(c, depth)}", "", top))
    return "\n".join([
        f"{program.name} on {c.rows} rows x {c.cols} columns x {c.width} bits, "
        f"{program.steps} steps",
        "",
        _table(("layer", "op", "cycles", "share", "binary ops", "of peak"), rows),
        "",
        _table(("memory", "base", "words"), memory),
        "",
        f"{program.cycles} cycles, {program.total_ops} binary operations: "
        f"{100 * program.share:.1f} % of the peak of {c.peak} per cycle",
    ])


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sw.compiler", description=(
        "Compile a network for a core: forecast of cycles, memory map, program."))
    parser.add_argument("model", metavar="MODEL",
                        help="a shipped network's name, a model file, or an integer network (.npz)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--board", metavar="NAME", help="take the core of this board")
    where.add_argument("--config", metavar="K=V,...", default="",
                       help="core configuration, e.g. rows=8,width=64; the rest as by default")
    parser.add_argument("--fit", action="store_true",
                        help="make the memories as deep as the network needs")
    parser.add_argument("--output", metavar="FILE", help="write the program (.npz)")
    parser.add_argument("--disassemble", action="store_true", help="print the program")
    args = parser.parse_args(argv)
    try:
        config = Config.for_board(args.board) if args.board else parse_config(args.config)
        net = read_network(args.model)
        if args.fit:
            config = fit_config(net, config)
        program = compile_network(net, config)
        print(report(program))
        if args.disassemble:
            print("\n" + program.disassemble(), end="")
        if args.output:
            program.save(args.output)
    except SpikeloomError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
