"""``python -m sim.run MODEL``: inferences of a network on RTL, with a waveform if wanted."""

import argparse
import sys
from pathlib import Path
from typing import Any

import boards
from hw.arch import Config, SpikeloomError
from hw.build import report as builds
from hw.common import files
from hw.common.cli import command, prog
from hw.common.options import core_options
from sim.interpreter.interpret import ColumnReads
from sim.simulate import Simulated, run, wave_kind
from sw.api import IntegerNetwork, read_network, read_origin
from sw.compiler import Program, fit_config
from sw.compiler.origin import is_program
from sw.host.image import KINDS
from sw.host.samples import Images, count, first_images, one_image, own_data
from sw.page import gather, missing, write
from sw.page.source import checked
from sw.room import compile_told

CURE = "choose another folder with --output"


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog=prog("sim.run"),
        description="Run one inference, or several, on the RTL of a core and compare every memory "
        "write with the interpreter, the logits with the golden model, the cycles with the "
        "forecast.",
    )
    p.add_argument(
        "model",
        metavar="MODEL",
        help="a shipped network's name, a model file, an integer network, or a "
        "compiled program (.npz)",
    )
    core_options(p)
    p.add_argument(
        "--network",
        metavar="NETWORK",
        help="the network that a compiled program was made from, for the comparison "
        "with its golden model: a name, model file or integer network",
    )
    p.add_argument(
        "--fit", action="store_true", help="make the memories as deep as the network needs"
    )
    p.add_argument(
        "--stream",
        action="store_true",
        help="one call per step, membranes in memory; the image is the first step. Networks that "
        "were trained on sequences are streams without it, and their image is a sequence",
    )
    which = p.add_mutually_exclusive_group()
    which.add_argument(
        "--image",
        metavar="IMAGE",
        help=f"{KINDS}, or a number N for image N of the network's own data set "
        "(default: its image 0 where it is there, else noise)",
    )
    which.add_argument(
        "--images",
        metavar="N",
        type=count,
        help="the first N test images of the network's own data set",
    )
    p.add_argument(
        "--output",
        metavar="DIR",
        help="write report.json, program.npz and report.html, the page of the first image, there",
    )
    p.add_argument("--wave", metavar="FILE", help="write a waveform, .vcd or .fst")
    return p


def _program(args: argparse.Namespace) -> tuple[Program, IntegerNetwork | None]:
    """The program, and its network where that is known."""
    if is_program(args.model):
        if args.board or args.config or args.fit:
            raise SpikeloomError(
                f"{args.model} is a compiled program and has its core with it; leave out "
                "--board, --config and --fit, or give the network"
            )
        program = Program.load(args.model)
        if args.stream and not program.stream:
            raise SpikeloomError(
                f"{args.model} is compiled for whole images, not for a stream; leave out --stream, "
                "or give the network"
            )
        if args.network is None:
            return program, None
        return program, read_origin(program, args.network)
    config = boards.get(args.board).config if args.board else Config().changed(args.config)
    network = read_network(args.model, args.stream)
    if args.network is not None:
        raise SpikeloomError(
            f"--network is for a compiled program, and {args.model} is a network itself; leave the "
            "option out"
        )
    return compile_told(network, fit_config(network, config) if args.fit else config), network


def report(program: Program, images: Images, result: Simulated) -> str:
    """Return what checked inferences gave, as text."""
    c = program.config
    many = len(result.cycles) > 1
    predictions = result.predictions.tolist()
    cycles = " ".join(map(str, sorted(set(result.cycles.tolist()))))
    lines = [f"{program.name} on {c.rows} rows x {c.cols} columns x {c.width} bits, {images.title}"]
    if many:
        lines.append(f"classes {' '.join(map(str, predictions))}")
        lines += images.accuracy(predictions)
    else:
        lines += [
            f"class {predictions[0]}{images.verdict(predictions[0])}",
            f"logits {' '.join(f'{v:.4f}' for v in result.logits[0] * result.scale)}",
            f"integers {' '.join(map(str, result.logits[0].tolist()))}",
        ]
    if images.sequence is not None:
        lines.append(images.sequence.verdict(result.logits.sum(axis=0)))
    first, later = program.first_cycles, program.cycles
    if not many:
        told = f"{first} forecast" + f", {later} for images after it" * (first != later)
    elif first == later:
        told = f"{later} forecast for each image"
    else:
        told = f"{first} forecast for the first image, {later} for each other"
    lines.append(f"cycles {cycles} simulated, {told}")
    reads = sum(result.column_reads, ColumnReads())
    if reads.words:
        lines.append(
            f"column reads {reads.words}, of which {reads.gated} ({reads.gated / reads.words:.1%}) "
            "would meet no spike and are gated"
        )
    golden = "golden model" in result.compared
    if result.mismatches:
        lines += [
            f"FIRST MISMATCH: {result.mismatches[0]}",
            f"{len(result.mismatches)} of {len(result.cycles)} images differ",
        ]
    else:
        models = "the interpreter and the golden model" if golden else "the interpreter"
        lines.append(
            f"no mismatch: all {result.writes} memory writes are the interpreter's, logits those "
            f"of {models}, cycles the forecast's"
        )
    if not golden:
        lines.append(
            "not compared with the golden model, which needs the network that the program was "
            "compiled from: give it by --network"
        )
    return "\n".join(lines)


def record(program: Program, result: Simulated, board: boards.Board | None) -> dict[str, Any]:
    """Return the report of a simulation, in the schema of a build's; its clock is a board's."""
    counted = int(result.cycles[-1])
    out: dict[str, Any] = {
        "schema": builds.SCHEMA,
        "model": {"name": program.name},
        "core": program.config.as_dict(),
        "cycles": {"kind": "simulated", "total": counted},
        "memory": builds.memory_map(program),
        "membranes": builds.membranes(program),
        "simulation": {
            "cycles": result.cycles.tolist(),
            "writes": result.writes,
            "compared": list(result.compared),
            "mismatches": [str(each) for each in result.mismatches],
        },
    }
    if board is not None:
        out["board"] = {
            "name": board.name,
            "title": board.title,
            "part": board.part,
            "family": board.family,
            "clock_hz": board.core_clock,
        }
        out["cycles"] = builds.cycles("simulated", program, board.core_clock, counted)
    return out


def save(
    folder: Path,
    program: Program,
    network: IntegerNetwork | None,
    images: Images,
    told: dict[str, Any],
) -> str:
    """Write a simulation's report, program and page into a folder; return what is there."""
    files.write(folder / "report.json", builds.to_json(told), CURE)
    program.save(folder / "program.npz")
    if lacks := missing():
        return f"wrote {folder / 'report.json'}; no report.html: {lacks}"
    shown = images if program.stream else images.one(0)
    page = gather(program, network, sample=shown, report=told, checked=checked(told))
    return f"wrote {write(page, folder / 'report.html')}, the page, and report.json beside it"


@command()
def main(argv: list[str] | None = None) -> int:
    """Run the command line; 0, 1 for a mistake or a mismatch, 2 for wrong usage."""
    args = _parser().parse_args(argv)
    if args.wave:
        wave_kind(Path(args.wave).absolute())
    if args.output is not None and (not args.output or Path(args.output).is_file()):
        raise SpikeloomError(f"--output {args.output!r} is no folder; choose another")
    program, network = _program(args)
    shape, classes = program.input_shape, program.classes
    data = own_data(shape, network.meta.get("data") if network else None)
    if args.images is None:
        images = one_image(args.image, shape, classes, data)
    else:
        images = first_images(args.images, shape, classes, data)
    images = images.of(program)
    result = run(program, images.pixels, wave=args.wave, check=True, network=network)
    print(report(program, images, result))
    if args.output:
        board = boards.get(args.board) if args.board else None
        told = record(program, result, board)
        print(save(Path(args.output), program, network, images, told))
    if args.wave:
        print(f"wrote {args.wave}, the waveform")
    return 1 if result.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
