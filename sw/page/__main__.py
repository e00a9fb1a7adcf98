"""``python -m sw.page``: the page of a build, of a simulation, or of a network."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import boards
from hw.arch.config import Config
from hw.common.cli import command, prog
from hw.common.errors import SpikeloomError
from hw.common.options import core_options
from hw.targets import TARGETS
from sw.api import read_network, read_origin
from sw.compiler import Program, fit_config
from sw.compiler.origin import is_program
from sw.host.image import KINDS
from sw.host.samples import count, one_image, own_data
from sw.network import IntegerNetwork
from sw.page import gather, missing, write
from sw.page.source import Source, read_folder
from sw.room import compile_told

NAME = "report.html"  #: Of the page, where no other is asked for.


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog=prog("sw.page"),
        description="Write one HTML file that shows a network on a core: resources, memories and "
        "work over time, cycles against their bound, spikes, attention, reads and writes.",
    )
    p.add_argument(
        "model",
        metavar="MODEL",
        help="the folder of a build or of a simulation; or a shipped network's name, a model file, "
        "an integer network, or a compiled program (.npz)",
    )
    core_options(p)
    p.add_argument(
        "--network",
        metavar="NETWORK",
        help="the network that a compiled program was made from: a name, model file or integer "
        "network",
    )
    p.add_argument(
        "--fit", action="store_true", help="make the memories as deep as the network needs"
    )
    p.add_argument("--stream", action="store_true", help="one call per step, membranes in memory")
    p.add_argument(
        "--image",
        metavar="IMAGE",
        help=f"the image that is shown: {KINDS}, or a number N for image N of the network's own "
        "data set (default: its image 0 where it is there, else noise)",
    )
    p.add_argument(
        "--images",
        metavar="N",
        type=count,
        help="add the confusion matrix of the first N test images of the network's own data set",
    )
    p.add_argument(
        "--output",
        metavar="FILE",
        help=f"the page (default: {NAME} in the build's folder, or here)",
    )
    return p


def _source(args: argparse.Namespace) -> Source:
    """Read the folder, the program or the network that is named."""
    folder, own = Path(args.model), [args.board, args.config, args.fit, args.stream]
    if folder.is_dir():
        if any(own) or args.network:
            raise SpikeloomError(
                f"{folder} is a build, which has its core and network with it; leave out --board, "
                "--config, --fit, --stream and --network, or give the network's name"
            )
        return read_folder(folder)
    program, network = _program(args, any(own))
    return Source(program=program, network=network, report={}, checked=None)


def _program(args: argparse.Namespace, changed: bool) -> tuple[Program, IntegerNetwork | None]:
    if is_program(args.model):
        if changed:
            raise SpikeloomError(
                f"{args.model} is a compiled program and has its core with it; leave out --board, "
                "--config, --fit and --stream, or give the network"
            )
        program = Program.load(args.model)
        return program, read_origin(program, args.network) if args.network else None
    if args.network:
        raise SpikeloomError(
            f"--network is for a compiled program, and {args.model} is a network itself; leave the "
            "option out"
        )
    config = boards.get(args.board).config if args.board else Config().changed(args.config)
    network = read_network(args.model, args.stream)
    return compile_told(network, fit_config(network, config) if args.fit else config), network


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, 1 for a mistake of the user, 2 for wrong usage."""
    args = _parser().parse_args(argv)
    if lacks := missing():
        raise SpikeloomError(lacks)
    if args.output is not None and not args.output:
        raise SpikeloomError("output '' names no file; give one with --output, or leave it out")
    found = _source(args)
    program, network, sample = found.program, found.network, None
    if args.image is not None:
        data = own_data(program.input_shape, network.meta.get("data") if network else None)
        sample = one_image(args.image, program.input_shape, program.classes, data).of(program)
    family = TARGETS.get(str(found.report.get("board", {}).get("family")))
    page = gather(
        program,
        network,
        sample=sample,
        images=args.images,
        report=found.report,
        titles=family.titles if family else {},
        checked=found.checked,
    )
    inside = Path(args.model) if Path(args.model).is_dir() else Path()
    path = Path(args.output) if args.output else inside / NAME
    print(f"page of {page.name}: {write(page, path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
