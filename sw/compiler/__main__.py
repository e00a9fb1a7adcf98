"""``python -m sw.compiler MODEL``: compile, forecast, disassemble."""

import argparse
import sys

import boards
from hw.arch.config import Config
from hw.arch.parts import PARTS, fit, part
from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from hw.common.options import core_options
from sw.api import read_network
from sw.compiler.mapper import fit_config
from sw.compiler.report import part_text, report
from sw.room import compile_told


@command()
def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=prog("sw.compiler"),
        description=("Compile a network for a core: forecast of cycles, memory map, program."),
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a shipped network's name, a model file, or an integer network (.npz)",
    )
    core_options(parser)
    parser.add_argument(
        "--part",
        metavar="NAME",
        help=(
            f"also place the memories on this part ({', '.join(PARTS)}); without --board and "
            "--config take the core that is stated for it; exit status 1 where they do not fit"
        ),
    )
    parser.add_argument(
        "--fit", action="store_true", help="make the memories as deep as the network needs"
    )
    parser.add_argument(
        "--stream", action="store_true", help="one call per step, membranes in memory between calls"
    )
    parser.add_argument("--output", metavar="FILE", help="write the program (.npz)")
    parser.add_argument("--disassemble", action="store_true", help="print the program")
    args = parser.parse_args(argv)
    if args.board:
        config = boards.get(args.board).config
    elif args.part and not args.config:
        config = part(args.part).config
    else:
        config = Config().changed(args.config)
    target = part(args.part) if args.part else None
    net = read_network(args.model, args.stream)
    if args.fit:
        config = fit_config(net, config)
    program = compile_told(net, config)
    print(report(program))
    placed = fit(config, target) if target else None
    if placed:
        print("\n" + part_text(program, placed))
    if args.disassemble:
        print("\n" + program.disassemble(), end="")
    if args.output:
        program.save(args.output)
        print(f"\nwritten: {args.output}")
    if placed and placed.faults:
        raise SpikeloomError(
            f"{program.name} does not fit: {'; '.join(placed.faults)}; choose a smaller core "
            "(--config) or a larger part"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
